#include "engine/mapped_block.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace cellroute {
namespace {

#ifdef __linux__
std::atomic<bool> moves_pages = true;
#endif

}  // namespace

MappedBlock::MappedBlock(MappedBlock&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mappings_(std::exchange(other.mappings_, {})) {}

MappedBlock& MappedBlock::operator=(MappedBlock&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mappings_ = std::exchange(other.mappings_, {});
  return *this;
}

MappedBlock::~MappedBlock() { unmap(); }

#ifdef __linux__

// Not by malloc: after the first large block is freed, it takes others from its heap, which keeps
// free memory between two used blocks.
MappedBlock::MappedBlock(size_t size) : size_(size) {
  mappings_.reserve(1);
  void* mapped =
      mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<char*>(mapped);
  const size_t before = (kPage - reinterpret_cast<uintptr_t>(begin) % kPage) % kPage;
  if (before > 0) munmap(begin, before);
  data_ = begin + before;
  // Only whole pages of the system can be unmapped; on arm64 they may have 64 KiB.
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t used = (size + page - 1) / page * page;
  munmap(data_ + used, size + kPage - before - used);
#ifdef MADV_HUGEPAGE
  // A hint: a failure does not matter. Without huge pages, feature maps miss the TLB.
  (void)madvise(data_, size, MADV_HUGEPAGE);
#endif
  mappings_.push_back({data_, size});
}

void MappedBlock::unmap() noexcept {
  if (size_ > 0) munmap(data_, size_);
}

bool MappedBlock::can_move_pages() { return moves_pages; }

size_t MappedBlock::take_pages(MappedBlock& donor, size_t filled) {
  while (!donor.mappings_.empty()) {
    auto& from = donor.mappings_.back();
    const size_t pages = from.size / kPage * kPage;
    if (pages < from.size) {
      munmap(from.data + pages, from.size - pages);
      donor.size_ -= from.size - pages;
      from.size = pages;
    }
    const size_t count = std::min(pages, (size_ - filled) / kPage * kPage);
    if (count == 0 && pages > 0) break;
    if (count > 0) {
      mappings_.reserve(mappings_.size() + 1);
      void* source = from.data + (pages - count);
      if (mremap(source, count, count, MREMAP_MAYMOVE | MREMAP_FIXED, data_ + filled) ==
          MAP_FAILED) {
        moves_pages = false;
        // It is unknown whether the range is still ours or was unmapped and reused. It holds no
        // memory, because it is untouched.
        const size_t size = size_;
        size_ = filled;
        const MappedBlock abandoned(std::move(donor));
        *this = MappedBlock(size);
        return size;
      }
      donor.size_ -= count;
      from.size -= count;
      const Mapping fresh = mappings_.back();
      mappings_.back() = {data_ + filled, count};
      filled += count;
      if (fresh.size > count) mappings_.push_back({data_ + filled, fresh.size - count});
    }
    if (from.size == 0) donor.mappings_.pop_back();
  }
  if (donor.mappings_.empty()) donor.data_ = nullptr;
  return filled;
}

#else

MappedBlock::MappedBlock(size_t size) : size_(size) {
  void* data = nullptr;
#ifdef _WIN32
  data = _aligned_malloc(size, kPage);
#else
  // Not std::aligned_alloc: some systems refuse sizes that are not a multiple of the page.
  if (posix_memalign(&data, kPage, size) != 0) data = nullptr;
#endif
  if (data == nullptr) throw std::bad_alloc();
  data_ = static_cast<char*>(data);
}

void MappedBlock::unmap() noexcept {
#ifdef _WIN32
  _aligned_free(data_);
#else
  std::free(data_);
#endif
}

bool MappedBlock::can_move_pages() { return false; }

size_t MappedBlock::take_pages(MappedBlock& /*donor*/, size_t filled) { return filled; }

#endif

}  // namespace cellroute
