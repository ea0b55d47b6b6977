#pragma once

#include <atomic>
#include <cstdint>

namespace cellroute::ops::cpu {

/** Hands out blocks of work to threads one at a time, so that a thread slowed down by other
 *  processes takes fewer. */
class BlockQueue {
 public:
  explicit BlockQueue(int64_t blocks) : blocks_(blocks) {}

  /** Calls fn(block) for the blocks that this thread takes. */
  template <typename F>
  void for_each(F&& fn) {
    for (int64_t block = next_++; block < blocks_; block = next_++) fn(block);
  }

 private:
  std::atomic<int64_t> next_{0};
  int64_t blocks_;
};

}  // namespace cellroute::ops::cpu
