#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace cellroute::ops::cpu {

/** The place that torch's nearest interpolation reads for place `to` of an axis that is resized
 *  from `before` to `after` places. */
inline int64_t nearest_source(int64_t to, int64_t before, int64_t after) {
  // In float, as torch has it.
  const float scale = static_cast<float>(before) / static_cast<float>(after);
  return std::min(static_cast<int64_t>(std::floor(static_cast<float>(to) * scale)), before - 1);
}

}  // namespace cellroute::ops::cpu
