#pragma once

#include <atomic>
#include <cstdint>

namespace cellroute::ops::cpu {

/** Blocks of work that threads take one after the other: one that is slowed down by others takes
 *  fewer. */
class BlockQueue {
 public:
  explicit BlockQueue(int64_t blocks) : blocks_(blocks) {}

  /** Calls fn(block) for what the other threads leave to this one. */
  template <typename F>
  void for_each(F&& fn) {
    for (int64_t block = next_++; block < blocks_; block = next_++) fn(block);
  }

 private:
  std::atomic<int64_t> next_{0};
  int64_t blocks_;
};

}  // namespace cellroute::ops::cpu
