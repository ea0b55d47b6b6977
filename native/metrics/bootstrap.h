#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "metrics/summary.h"

namespace cellroute::metrics {

struct Interval {
  Summary low;
  Summary high;
};

struct Resampling {
  uint32_t samples;
  uint64_t seed;
  /** Confidence level of the interval, 0 to 1. */
  double confidence;
  uint64_t threads;
};

/** Percentile intervals of every metric. Each bootstrap sample draws as many images as the set
 *  has, with replacement. The draws depend only on the seed, the sample index and the draw
 *  index, so results do not depend on threads or on other sets. Samples in which a metric is
 *  undefined are excluded from its interval; the interval is NaN if none remains. `step` is called
 *  once per sample, from any thread. */
Interval bootstrap(const Comparison& comparison, std::span<const uint32_t> set,
                   const Resampling& how, const std::function<void()>& step);

/** The same interval of the mean of values, as {low, high}. */
std::pair<double, double> bootstrap_mean(std::span<const double> values, const Resampling& how);

}  // namespace cellroute::metrics
