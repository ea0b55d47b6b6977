#pragma once

#include <array>

namespace cellroute::metrics {

inline constexpr int kThresholds = 10;
using Thresholds = std::array<double, kThresholds>;

// The same ten numbers to the eye, and not to the last bit, which decides where an IoU is just 0.6.

/** numpy.linspace(0.5, 0.95, 10), as COCOeval has them. A match needs this IoU or more. */
inline constexpr Thresholds kCocoThresholds = [] {
  Thresholds values{};
  constexpr double step = (0.95 - 0.5) / 9;
  for (int i = 0; i < kThresholds; ++i) values[i] = i * step + 0.5;
  values[kThresholds - 1] = 0.95;
  return values;
}();

/** 0.5 + 0.05 * i, as the competition has them. A match needs more. */
inline constexpr Thresholds kKaggleThresholds = [] {
  Thresholds values{};
  for (int i = 0; i < kThresholds; ++i) values[i] = 0.5 + 0.05 * i;
  return values;
}();

}  // namespace cellroute::metrics
