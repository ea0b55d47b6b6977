#pragma once

#include <atomic>
#include <cstdint>

#include "engine/cancel.h"

namespace cellroute::ops::cpu {

/** Hands out blocks of work to threads one at a time, so that a thread slowed down by other
 *  processes takes fewer. Once the work of the thread that made the queue is cancelled, no thread
 *  takes another block; parallel_for then throws Cancelled. */
class BlockQueue {
 public:
  explicit BlockQueue(int64_t blocks) : blocks_(blocks) {}

  /** Calls fn(block) for the blocks that this thread takes. */
  template <typename F>
  void for_each(F&& fn) {
    for (int64_t block = next_++; block < blocks_ && !stopped(); block = next_++) fn(block);
  }

 private:
  bool stopped() const { return cancellation_ != nullptr && cancellation_->requested(); }

  const Cancellation* cancellation_ = Cancellation::current();
  std::atomic<int64_t> next_{0};
  int64_t blocks_;
};

}  // namespace cellroute::ops::cpu
