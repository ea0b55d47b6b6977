#include "ops/cpu/work_blocks.h"

#include "checks.h"

namespace work_blocks_test {

using cellroute::ops::cpu::WorkBlocks;

namespace {

/** Checks that everything is covered once, in order, and no block is larger than the first. */
void check_cover(const WorkBlocks& blocks, int64_t count, int64_t most) {
  int64_t at = 0;
  for (int64_t b = 0; b < blocks.blocks(); ++b) {
    CHECK(blocks.begin(b) == at);
    const int64_t size = blocks.end(b) - at;
    CHECK(size > 0);
    CHECK(size <= blocks.largest());
    CHECK((size % 6 == 0 || blocks.end(b) == count));
    at = blocks.end(b);
  }
  CHECK(at == count);
  CHECK(blocks.largest() <= most);
  CHECK(blocks.largest() % 6 == 0);
}

int64_t size_of(const WorkBlocks& blocks, int64_t block) {
  return blocks.end(block) - blocks.begin(block);
}

}  // namespace

TEST_CASE("work blocks: cover everything once, in whole multiples") {
  for (const int64_t count : {1, 5, 6, 7, 48, 221, 3400}) {
    for (const int64_t threads : {1, 2, 16}) {
      CAPTURE(count);
      CAPTURE(threads);
      check_cover(WorkBlocks::shrinking(count, 48, 6, threads), count, 48);
      check_cover(WorkBlocks::shrinking(count, 50, 6, threads), count, 48);
      check_cover(WorkBlocks::shrinking(count, 4, 6, threads), count, 6);
      check_cover(WorkBlocks::even(count, 48, 6, threads), count, 48);
      check_cover(WorkBlocks::even(count, 50, 6, threads), count, 54);
    }
  }
  CHECK(WorkBlocks::shrinking(0, 48, 6, 2).blocks() == 0);
  CHECK(WorkBlocks::even(0, 48, 6, 2).blocks() == 0);
}

TEST_CASE("work blocks: shrinking blocks end small, except with one thread") {
  for (const int64_t threads : {2, 4, 16}) {
    const auto blocks = WorkBlocks::shrinking(3400, 48, 6, threads);
    CHECK(size_of(blocks, 0) == 48);
    CHECK(blocks.blocks() > 3400 / 48 + threads);
    for (int64_t b = 1; b < blocks.blocks(); ++b)
      CHECK(size_of(blocks, b) <= size_of(blocks, b - 1));
    CHECK(size_of(blocks, blocks.blocks() - 1) <= 12);
  }
  CHECK(WorkBlocks::shrinking(480, 48, 6, 1).blocks() == 10);
}

TEST_CASE("work blocks: even blocks are equally many for each thread") {
  const auto blocks = WorkBlocks::even(221, 96, 6, 2);
  CHECK(blocks.blocks() == 4);
  CHECK(blocks.largest() == 60);
}

}  // namespace work_blocks_test
