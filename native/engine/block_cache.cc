#include "engine/block_cache.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
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

// Smaller blocks are malloc's, which keeps them itself. Large ones are whole huge pages.
constexpr size_t kSmallest = size_t{1} << 20;
constexpr size_t kPage = size_t{2} << 20;

// A kept block may be so much larger than what is asked for, and no more may be kept than is in
// use: else a few sizes that take turns would hold several times what they need.
constexpr size_t kLargestExcess = 2;

void* allocate_block(size_t size) {
#ifdef _WIN32
  void* data = _aligned_malloc(size, kPage);
#else
  void* data = std::aligned_alloc(kPage, size);
#endif
  if (data == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Only a hint, so its failure is none. Without huge pages, maps miss the processor's page tables.
  (void)madvise(data, size, MADV_HUGEPAGE);
#endif
  return data;
}

void free_block(void* data) {
#ifdef _WIN32
  _aligned_free(data);
#else
  std::free(data);
#endif
}

class CachingAllocator final : public c10::Allocator {
 public:
  explicit CachingAllocator(c10::Allocator* base) : base_(base) {}

  c10::DataPtr allocate(size_t size) override {
    if (size < kSmallest) return base_->allocate(size);
    const size_t whole = (size + kPage - 1) / kPage * kPage;
    void* data = take(whole);
    if (data == nullptr) data = add(allocate_block(whole), whole);
    return {data, data, &give, c10::Device(c10::DeviceType::CPU)};
  }

  // oneDNN's memory comes and goes by these, without a DataPtr.
  c10::DeleterFnPtr raw_deleter() const override { return &give; }

  void copy_data(void* to, const void* from, size_t count) const override {
    default_copy_data(to, from, count);
  }

  void set_keeping(bool keeping) {
    std::vector<void*> dropped;
    {
      const std::lock_guard lock(mutex_);
      keeping_ = keeping;
      if (!keeping) dropped = drop_to(0);
    }
    std::ranges::for_each(dropped, free_block);
  }

  static CachingAllocator*& instance() {
    static CachingAllocator* allocator = nullptr;
    return allocator;
  }

 private:
  struct Block {
    void* data;
    size_t size;
  };

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
    used_bytes_ += block.size;
    return block.data;
  }

  void* add(void* data, size_t size) {
    const std::lock_guard lock(mutex_);
    used_.emplace(data, size);
    used_bytes_ += size;
    return data;
  }

  /** Whether it is a block of ours. */
  bool keep_or_free(void* data) {
    std::vector<void*> dropped;
    {
      const std::lock_guard lock(mutex_);
      const auto found = used_.find(data);
      if (found == used_.end()) return false;
      const Block block{data, found->second};
      used_.erase(found);
      used_bytes_ -= block.size;
      kept_.push_back(block);
      kept_bytes_ += block.size;
      dropped = drop_to(keeping_ ? std::max(used_bytes_, block.size) : 0);
    }
    std::ranges::for_each(dropped, free_block);
    return true;
  }

  /** Takes out the blocks kept longest until at most so many bytes are kept. The lock is held. */
  std::vector<void*> drop_to(size_t bytes) {
    std::vector<void*> dropped;
    while (kept_bytes_ > bytes) {
      dropped.push_back(kept_.front().data);
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

void BlockCache::release() {
  if (CachingAllocator::instance() != nullptr) CachingAllocator::instance()->set_keeping(false);
}

}  // namespace cellroute
