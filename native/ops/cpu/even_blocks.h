#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/cpu/round_up.h"

namespace cellroute::ops::cpu {

/** `count` things in blocks of about `most` at most, such that all threads end together: as many
 *  blocks for each thread, whole multiples, and of these none more than one larger than another. */
class EvenBlocks {
 public:
  EvenBlocks(int64_t count, int64_t most, int64_t multiple, int64_t threads)
      : count_(count),
        multiple_(multiple),
        groups_(divide_up(count, multiple)),
        blocks_(std::min(groups_, round_up(divide_up(count, most), threads))) {}

  int64_t blocks() const { return blocks_; }

  /** Of blocks() where the last one ends. */
  int64_t begin(int64_t block) const {
    return std::min(count_, groups_ * block / blocks_ * multiple_);
  }

  /** How many the largest has. */
  int64_t largest() const { return divide_up(groups_, blocks_) * multiple_; }

 private:
  int64_t count_, multiple_, groups_, blocks_;
};

}  // namespace cellroute::ops::cpu
