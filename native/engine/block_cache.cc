#include "engine/block_cache.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/mapped_block.h"
#include "round_up.h"

namespace cellroute {
namespace {

// Smaller blocks are left to malloc, which caches them itself.
constexpr size_t kSmallest = size_t{1} << 20;
constexpr size_t kSmallPage = size_t{1} << 16;

// A kept block may be larger than the request by this factor.
constexpr size_t kMaxSizeRatio = 2;

/** Rounds up to huge pages, or to small ones if the last huge page would be mostly empty: the
 *  weights of a network are some hundred blocks of 1 to 10 MiB. */
size_t whole_pages(size_t size) {
  const size_t page = size < 8 * MappedBlock::kPage ? kSmallPage : MappedBlock::kPage;
  return round_up(size, page);
}

class CachingAllocator final : public c10::Allocator {
 public:
  explicit CachingAllocator(c10::Allocator* base) : base_(base) {}

  c10::DataPtr allocate(size_t size) override {
    if (size < kSmallest) return base_->allocate(size);
    const size_t whole = whole_pages(size);
    void* data = take(whole);
    if (data == nullptr) {
      data = use(new_block(whole));
    }
    return {data, data, &give, c10::Device(c10::DeviceType::CPU)};
  }

  // oneDNN allocates and frees with these, without a DataPtr.
  c10::DeleterFnPtr raw_deleter() const override { return &give; }

  void copy_data(void* to, const void* from, size_t count) const override {
    default_copy_data(to, from, count);
  }

  void set_keeping(bool keeping) {
    std::vector<MappedBlock> dropped;
    const std::lock_guard lock(mutex_);
    if (keeping_ != keeping) max_used_ = used_bytes_;
    keeping_ = keeping;
    if (!keeping) dropped = trim_to(0);
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
  static void give(void* data) {
    auto& self = *instance();
    if (!self.keep_or_free(data)) self.base_->raw_deallocate(data);
  }

  /** The smallest kept block that fits; null if there is none. */
  void* take(size_t size) {
    const std::lock_guard lock(mutex_);
    auto best = kept_.end();
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
      if (it->size() < size || it->size() > size * kMaxSizeRatio) continue;
      if (best == kept_.end() || it->size() < best->size()) best = it;
    }
    if (best == kept_.end()) return nullptr;
    auto block = std::move(*best);
    kept_.erase(best);
    kept_bytes_ -= block.size();
    return use_locked(std::move(block));
  }

  /** Creates a block. Kept blocks that would raise the total above the maximum ever in use are
   *  freed first, unless their pages are used for the new block. */
  MappedBlock new_block(size_t size) {
    if (!MappedBlock::can_move_pages()) {
      make_room(size);
      return MappedBlock(size);
    }
    auto block = assemble(size);
    make_room(size);
    return block;
  }

  /** Creates a block from the pages of kept blocks of other sizes, if pages can be moved. The
   * system clears new pages, which costs as much as the work on them. */
  MappedBlock assemble(size_t size) {
    MappedBlock block(size);
    size_t filled = 0;
    while (size - filled >= MappedBlock::kPage) {
      auto donor = kept_longest();
      if (!donor) break;
      filled = block.take_pages(*donor, filled);
      if (donor->size() > 0) keep_block(std::move(*donor));
    }
    return block;
  }

  /** The longest kept block that has a huge page. */
  std::optional<MappedBlock> kept_longest() {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(
        kept_, [](const MappedBlock& block) { return block.size() >= MappedBlock::kPage; });
    if (found == kept_.end()) return std::nullopt;
    std::optional<MappedBlock> block(std::move(*found));
    kept_.erase(found);
    kept_bytes_ -= block->size();
    return block;
  }

  void keep_block(MappedBlock block) {
    const std::lock_guard lock(mutex_);
    if (!keeping_) return;
    const size_t size = block.size();
    kept_.push_front(std::move(block));
    kept_bytes_ += size;
  }

  /** Frees kept blocks that would, together with `size` new bytes, exceed the maximum ever in use.
   */
  void make_room(size_t size) {
    std::vector<MappedBlock> dropped;
    const std::lock_guard lock(mutex_);
    dropped = trim_to(spare(used_bytes_ + size));
  }

  void* use(MappedBlock block) {
    const std::lock_guard lock(mutex_);
    return use_locked(std::move(block));
  }

  /** The lock must be held. */
  void* use_locked(MappedBlock block) {
    void* data = block.data();
    const size_t size = block.size();
    used_.emplace(data, std::move(block));
    used_bytes_ += size;
    max_used_ = std::max(max_used_, used_bytes_);
    return data;
  }

  /** Bytes that may be kept while `used` bytes are in use: at most as many as were in use at once,
   *  so that keeping does not raise the peak. */
  size_t spare(size_t used) const { return max_used_ > used ? max_used_ - used : 0; }

  /** Keeps or frees a block of this cache. Returns false for other memory. */
  bool keep_or_free(void* data) {
    std::vector<MappedBlock> dropped;
    const std::lock_guard lock(mutex_);
    const auto found = used_.find(data);
    if (found == used_.end()) return false;
    auto block = std::move(found->second);
    used_.erase(found);
    const size_t size = block.size();
    used_bytes_ -= size;
    kept_.push_back(std::move(block));
    kept_bytes_ += size;
    dropped = trim_to(keeping_ ? spare(used_bytes_) : 0);
    return true;
  }

  /** Takes out the longest kept blocks until at most `bytes` are kept. The lock must be held; the
   *  caller unmaps the blocks after releasing it. */
  std::vector<MappedBlock> trim_to(size_t bytes) {
    std::vector<MappedBlock> dropped;
    while (kept_bytes_ > bytes) {
      kept_bytes_ -= kept_.front().size();
      dropped.push_back(std::move(kept_.front()));
      kept_.pop_front();
    }
    return dropped;
  }

  c10::Allocator* base_;
  std::mutex mutex_;
  bool keeping_ = false;
  std::unordered_map<void*, MappedBlock> used_;
  size_t used_bytes_ = 0;
  size_t max_used_ = 0;           // maximum in use at once, since keeping started
  std::deque<MappedBlock> kept_;  // the longest kept first
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
