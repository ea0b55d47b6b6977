#include "engine/mapped_block.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "checks.h"

namespace mapped_block_test {

using cellroute::MappedBlock;

namespace {

constexpr size_t kPage = MappedBlock::kPage;

char* bytes(const MappedBlock& block) { return static_cast<char*>(block.data()); }

/** A block whose n-th page has the value first + n. */
MappedBlock numbered(size_t size, int first) {
  MappedBlock block(size);
  for (size_t at = 0; at < size; at += kPage) {
    std::memset(bytes(block) + at, first + static_cast<int>(at / kPage),
                std::min(kPage, size - at));
  }
  return block;
}

bool holds(const char* begin, size_t size, int value) {
  return std::all_of(begin, begin + size, [&](char byte) { return byte == value; });
}

}  // namespace

TEST_CASE("mapped block: all bytes are writable, and it can be moved") {
  auto block = numbered(3 * kPage + 4096, 1);
  const MappedBlock other = std::move(block);
  CHECK(other.size() == 3 * kPage + 4096);
  CHECK(holds(bytes(other) + 3 * kPage, 4096, 4));
}

TEST_CASE("mapped block: takes pages of other blocks, which keep the rest") {
  if (!MappedBlock::can_move_pages()) return;
  MappedBlock block(7 * kPage + 4096);
  auto first = numbered(3 * kPage + 8192, 10), second = numbered(5 * kPage, 20);
  size_t filled = block.take_pages(first, 0);
  CHECK(filled == 3 * kPage);
  CHECK(first.size() == 0);
  filled = block.take_pages(second, filled);
  CHECK(filled == 7 * kPage);
  CHECK(second.size() == kPage);
  CHECK(holds(bytes(second), kPage, 20));
  for (size_t page = 0; page < 3; ++page) {
    CHECK(holds(bytes(block) + page * kPage, kPage, 10 + static_cast<int>(page)));
  }
  for (size_t page = 0; page < 4; ++page) {
    CHECK(holds(bytes(block) + (3 + page) * kPage, kPage, 21 + static_cast<int>(page)));
  }
  // The remaining memory is new and cleared.
  CHECK(holds(bytes(block) + 7 * kPage, 4096, 0));
  // Moved pages can be moved again, in parts of a stretch.
  MappedBlock two(2 * kPage);
  CHECK(two.take_pages(block, 0) == 2 * kPage);
  CHECK(holds(bytes(two), kPage, 23));
  CHECK(block.size() == 5 * kPage);
  MappedBlock next(4 * kPage);
  CHECK(next.take_pages(block, 0) == 4 * kPage);
  CHECK(block.size() == kPage);
  CHECK(holds(bytes(block), kPage, 10));
  std::memset(next.data(), 1, next.size());
  CHECK(holds(bytes(block), kPage, 10));
  CHECK(holds(bytes(second), kPage, 20));
}

}  // namespace mapped_block_test
