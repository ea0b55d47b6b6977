#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "round_up.h"

namespace cellroute::ops::cpu {

/** Divides `count` items into blocks for a BlockQueue. Each block has a multiple of `multiple`
 *  items, except the last one, and at most `max_size`. */
class WorkBlocks {
 public:
  /** Blocks that become smaller, so that all threads finish at about the same time whatever
   *  their speed. For work whose time is proportional to the block size. */
  static WorkBlocks shrinking(int64_t count, int64_t max_size, int64_t multiple, int64_t threads) {
    // Half of a thread's share of the remaining work, bounded below because each block has a fixed
    // cost.
    constexpr int64_t kMinGroups = 2;
    const int64_t groups = divide_up(count, multiple);
    const int64_t largest = std::max<int64_t>(max_size / multiple, 1);
    std::vector<int64_t> ends;
    for (int64_t group = 0; group < groups;) {
      const int64_t share = threads == 1 ? largest : (groups - group) / (2 * threads);
      group += std::clamp(share, std::min(kMinGroups, largest), largest);
      ends.push_back(std::min(group * multiple, count));
    }
    return WorkBlocks(std::move(ends), multiple);
  }

  /** Blocks of one size, the same number for each thread: for work that takes as long as its
   *  largest block. */
  static WorkBlocks even(int64_t count, int64_t max_size, int64_t multiple, int64_t threads) {
    const int64_t blocks = round_up(divide_up(count, max_size), threads);
    const int64_t size = round_up(divide_up(count, std::max<int64_t>(blocks, 1)), multiple);
    std::vector<int64_t> ends;
    for (int64_t end = 0; end < count;) {
      end = std::min(end + size, count);
      ends.push_back(end);
    }
    return WorkBlocks(std::move(ends), multiple);
  }

  int64_t blocks() const { return static_cast<int64_t>(ends_.size()); }

  int64_t begin(int64_t block) const { return block == 0 ? 0 : ends_[block - 1]; }
  int64_t end(int64_t block) const { return ends_[block]; }

  /** The size of the first block, in whole multiples; no other block is larger. */
  int64_t largest() const { return largest_; }

 private:
  WorkBlocks(std::vector<int64_t> ends, int64_t multiple)
      : ends_(std::move(ends)), largest_(ends_.empty() ? 0 : round_up(ends_.front(), multiple)) {}

  std::vector<int64_t> ends_;
  int64_t largest_;
};

}  // namespace cellroute::ops::cpu
