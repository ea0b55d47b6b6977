#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace cellroute::ops::cpu {

/** The source index that torch's nearest interpolation reads for index `to` of an axis resized
 *  from `before` to `after`. */
inline int64_t nearest_source(int64_t to, int64_t before, int64_t after) {
  // In float, as in torch.
  const float scale = static_cast<float>(before) / static_cast<float>(after);
  return std::min(static_cast<int64_t>(std::floor(static_cast<float>(to) * scale)), before - 1);
}

}  // namespace cellroute::ops::cpu
