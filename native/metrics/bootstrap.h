#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "metrics/summary.h"

namespace cellroute::metrics {

struct Interval {
  Summary low;
  Summary high;
};

struct Resampling {
  uint32_t samples;
  uint64_t seed;
  /** Share of the samples within an interval, 0 to 1. */
  double confidence;
  uint64_t threads;
};

/** Percentile intervals of every metric: as many images as the set has are drawn from it with
 *  replacement, again and again. What is drawn follows from the seed, the sample and the draw
 *  alone, so that neither threads nor other sets change it. Samples in which a metric has no
 *  meaning are left out of its interval; NaN where none is left. `step` is called once a sample,
 *  from any thread. */
Interval bootstrap(const Comparison& comparison, std::span<const uint32_t> set,
                   const Resampling& how, const std::function<void()>& step);

}  // namespace cellroute::metrics
