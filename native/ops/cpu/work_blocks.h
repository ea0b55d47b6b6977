#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "ops/cpu/round_up.h"

namespace cellroute::ops::cpu {

/** `count` things in blocks for a BlockQueue. Each has a multiple of `multiple`, but for the last
 *  one, and at most `most`. */
class WorkBlocks {
 public:
  /** Blocks that get smaller, so that threads end together however fast each of them is. For work
   *  that takes as long as a block is large. */
  static WorkBlocks shrinking(int64_t count, int64_t most, int64_t multiple, int64_t threads) {
    // Half of a thread's share of what is left; but what a block costs besides is not for nothing.
    constexpr int64_t kFewest = 2;
    const int64_t groups = divide_up(count, multiple);
    const int64_t largest = std::max<int64_t>(most / multiple, 1);
    std::vector<int64_t> ends;
    for (int64_t group = 0; group < groups;) {
      const int64_t share = threads == 1 ? largest : (groups - group) / (2 * threads);
      group += std::clamp(share, std::min(kFewest, largest), largest);
      ends.push_back(std::min(group * multiple, count));
    }
    return WorkBlocks(std::move(ends), multiple);
  }

  /** As many for each thread, of one size: for work that takes as long as the largest. */
  static WorkBlocks even(int64_t count, int64_t most, int64_t multiple, int64_t threads) {
    const int64_t blocks = round_up(divide_up(count, most), threads);
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

  /** How many the first has, in whole multiples: no other has more. */
  int64_t largest() const { return largest_; }

 private:
  WorkBlocks(std::vector<int64_t> ends, int64_t multiple)
      : ends_(std::move(ends)), largest_(ends_.empty() ? 0 : round_up(ends_.front(), multiple)) {}

  std::vector<int64_t> ends_;
  int64_t largest_;
};

}  // namespace cellroute::ops::cpu
