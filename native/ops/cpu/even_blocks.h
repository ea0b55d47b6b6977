#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/cpu/round_up.h"

namespace cellroute::ops::cpu {

/** How many of `count` a block has: about `most` at most, a multiple of `multiple`, and such that
 *  all threads end together. */
inline int64_t even_blocks(int64_t count, int64_t most, int64_t multiple, int64_t threads) {
  const int64_t blocks = round_up(divide_up(count, most), threads);
  return std::min(round_up(divide_up(count, blocks), multiple), round_up(most, multiple));
}

}  // namespace cellroute::ops::cpu
