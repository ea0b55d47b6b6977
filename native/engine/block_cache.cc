#include "engine/block_cache.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace cellroute {
namespace {

// Smaller blocks are malloc's, which keeps them itself.
constexpr size_t kSmallest = size_t{1} << 20;
constexpr size_t kPage = size_t{2} << 20;
constexpr size_t kSmallPage = size_t{1} << 16;

// A kept block may be so much larger than what is asked for.
constexpr size_t kLargestExcess = 2;

#ifdef __linux__

// Not by malloc: after the first large block that is freed it takes others from its heap, which
// holds on to what is free between two that are not.
void* allocate_block(size_t size) {
  void* mapped =
      mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<char*>(mapped);
  const size_t before = (kPage - reinterpret_cast<uintptr_t>(begin) % kPage) % kPage;
  if (before > 0) munmap(begin, before);
  munmap(begin + before + size, kPage - before);
#ifdef MADV_HUGEPAGE
  // Only a hint, so its failure is none. Without huge pages, maps miss the processor's page tables.
  (void)madvise(begin + before, size, MADV_HUGEPAGE);
#endif
  return begin + before;
}

void free_block(void* data, size_t size) { munmap(data, size); }

#else

void* allocate_block(size_t size) {
#ifdef _WIN32
  void* data = _aligned_malloc(size, kPage);
#else
  void* data = std::aligned_alloc(kPage, size);
#endif
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

void free_block(void* data, size_t /*size*/) {
#ifdef _WIN32
  _aligned_free(data);
#else
  std::free(data);
#endif
}

#endif

/** Huge pages, and small ones at the end of a block where another huge one would be a good part of
 *  it: a network's weights are some hundred blocks of one to ten MiB. */
size_t whole_pages(size_t size) {
  const size_t page = size < 8 * kPage ? kSmallPage : kPage;
  return (size + page - 1) / page * page;
}

struct Block {
  void* data;
  size_t size;
};

class CachingAllocator final : public c10::Allocator {
 public:
  explicit CachingAllocator(c10::Allocator* base) : base_(base) {}

  c10::DataPtr allocate(size_t size) override {
    if (size < kSmallest) return base_->allocate(size);
    const size_t whole = whole_pages(size);
    void* data = take(whole);
    if (data == nullptr) {
      make_room(whole);
      data = add(allocate_block(whole), whole);
    }
    return {data, data, &give, c10::Device(c10::DeviceType::CPU)};
  }

  // oneDNN's memory comes and goes by these, without a DataPtr.
  c10::DeleterFnPtr raw_deleter() const override { return &give; }

  void copy_data(void* to, const void* from, size_t count) const override {
    default_copy_data(to, from, count);
  }

  void set_keeping(bool keeping) {
    std::vector<Block> dropped;
    {
      const std::lock_guard lock(mutex_);
      if (keeping_ != keeping) most_used_ = used_bytes_;
      keeping_ = keeping;
      if (!keeping) dropped = drop_to(0);
    }
    free_all(dropped);
  }

  size_t held() {
    const std::lock_guard lock(mutex_);
    return used_bytes_ + kept_bytes_;
  }

  static CachingAllocator*& instance() {
    static CachingAllocator* allocator = nullptr;
    return allocator;
  }

 private:
  static void free_all(const std::vector<Block>& blocks) {
    for (const auto& block : blocks) free_block(block.data, block.size);
  }

  static void give(void* data) {
    auto& self = *instance();
    if (!self.keep_or_free(data)) self.base_->raw_deallocate(data);
  }

  /** The smallest kept block that fits; null where there is none. */
  void* take(size_t size) {
    const std::lock_guard lock(mutex_);
    auto best = kept_.end();
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
      if (it->size < size || it->size > size * kLargestExcess) continue;
      if (best == kept_.end() || it->size < best->size) best = it;
    }
    if (best == kept_.end()) return nullptr;
    const Block block = *best;
    kept_.erase(best);
    kept_bytes_ -= block.size;
    used_.emplace(block.data, block.size);
    use(block.data, block.size);
    return block.data;
  }

  /** Before so much new memory is asked for, gives back what would else be held beyond the most
   *  that was ever in use. */
  void make_room(size_t size) {
    std::vector<Block> dropped;
    {
      const std::lock_guard lock(mutex_);
      dropped = drop_to(spare(used_bytes_ + size));
    }
    free_all(dropped);
  }

  void* add(void* data, size_t size) {
    const std::lock_guard lock(mutex_);
    use(data, size);
    return data;
  }

  /** The lock is held. */
  void use(void* data, size_t size) {
    used_.emplace(data, size);
    used_bytes_ += size;
    most_used_ = std::max(most_used_, used_bytes_);
  }

  /** What may be kept beside `used` bytes: sizes that take turns hold no more together than was in
   *  use at once, so that keeping does not move the peak. */
  size_t spare(size_t used) const { return most_used_ > used ? most_used_ - used : 0; }

  /** Whether it is a block of ours. */
  bool keep_or_free(void* data) {
    std::vector<Block> dropped;
    {
      const std::lock_guard lock(mutex_);
      const auto found = used_.find(data);
      if (found == used_.end()) return false;
      const Block block{data, found->second};
      used_.erase(found);
      used_bytes_ -= block.size;
      kept_.push_back(block);
      kept_bytes_ += block.size;
      dropped = drop_to(keeping_ ? spare(used_bytes_) : 0);
    }
    free_all(dropped);
    return true;
  }

  /** Takes out the blocks kept longest until at most so many bytes are kept. The lock is held. */
  std::vector<Block> drop_to(size_t bytes) {
    std::vector<Block> dropped;
    while (kept_bytes_ > bytes) {
      dropped.push_back(kept_.front());
      kept_bytes_ -= kept_.front().size;
      kept_.pop_front();
    }
    return dropped;
  }

  c10::Allocator* base_;
  std::mutex mutex_;
  bool keeping_ = false;
  std::unordered_map<void*, size_t> used_;
  size_t used_bytes_ = 0;
  size_t most_used_ = 0;    // at once, since nothing was kept
  std::deque<Block> kept_;  // the one kept longest first
  size_t kept_bytes_ = 0;
};

}  // namespace

void BlockCache::install() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never destroyed: tensors may outlive the statics of this library.
    CachingAllocator::instance() = new CachingAllocator(c10::GetCPUAllocator());
    c10::SetCPUAllocator(CachingAllocator::instance());
  });
}

void BlockCache::keep() {
  install();
  CachingAllocator::instance()->set_keeping(true);
}

size_t BlockCache::held() {
  return CachingAllocator::instance() == nullptr ? 0 : CachingAllocator::instance()->held();
}

void BlockCache::release() {
  if (CachingAllocator::instance() != nullptr) CachingAllocator::instance()->set_keeping(false);
}

}  // namespace cellroute
