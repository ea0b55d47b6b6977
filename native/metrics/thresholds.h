#pragma once

#include <array>

namespace cellroute::metrics {

inline constexpr int kThresholds = 10;
using Thresholds = std::array<double, kThresholds>;

// The two sets print alike but differ in the last bit, which decides at an IoU of exactly 0.6.

/** numpy.linspace(0.5, 0.95, 10), as in COCOeval. A match needs at least this IoU. */
inline constexpr Thresholds kCocoThresholds = [] {
  Thresholds values{};
  constexpr double step = (0.95 - 0.5) / 9;
  for (int i = 0; i < kThresholds; ++i) values[i] = i * step + 0.5;
  values[kThresholds - 1] = 0.95;
  return values;
}();

/** 0.5 + 0.05 * i, as in the competition. A match needs more than this IoU. */
inline constexpr Thresholds kKaggleThresholds = [] {
  Thresholds values{};
  for (int i = 0; i < kThresholds; ++i) values[i] = 0.5 + 0.05 * i;
  return values;
}();

}  // namespace cellroute::metrics
