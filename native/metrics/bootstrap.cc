#include "metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "thread_loop.h"

namespace cellroute::metrics {
namespace {

/** The finaliser of splitmix64: consecutive numbers give unrelated results. */
uint64_t mixed(uint64_t z) {
  z += 0x9E3779B97F4A7C15;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

/** A whole number below n. Practically uniform while n is far below 2^32. */
uint64_t draw(uint64_t seed, uint64_t sample, uint64_t index, uint64_t n) {
  return (mixed(mixed(mixed(seed) ^ sample) ^ index) >> 32) * n >> 32;
}

/** numpy.quantile(sorted, share) with linear interpolation. */
double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/** Sorts the values and returns the ends of their central interval. */
std::pair<double, double> central_interval(std::vector<double>& values, double confidence) {
  std::sort(values.begin(), values.end());
  return {quantile(values, (1 - confidence) / 2), quantile(values, (1 + confidence) / 2)};
}

}  // namespace

Interval bootstrap(const Comparison& comparison, std::span<const uint32_t> set,
                   const Resampling& how, const std::function<void()>& step) {
  std::vector<Summary> summaries(how.samples);
  for_each_parallel(how.samples, how.threads, [&](size_t sample) {
    std::vector<uint32_t> weights(comparison.images.size(), 0);
    for (size_t i = 0; i < set.size(); ++i) ++weights[set[draw(how.seed, sample, i, set.size())]];
    summaries[sample] = summarise(comparison, weights, false);
    step();
  });
  Interval interval;
  std::vector<double> values;
  for (size_t m = 0; m < kMetrics; ++m) {
    values.clear();
    for (const auto& summary : summaries) {
      if (!std::isnan(summary[m])) values.push_back(summary[m]);
    }
    std::tie(interval.low[m], interval.high[m]) = central_interval(values, how.confidence);
  }
  return interval;
}

std::pair<double, double> bootstrap_mean(std::span<const double> values, const Resampling& how) {
  std::vector<double> means(how.samples);
  for_each_parallel(how.samples, how.threads, [&](size_t sample) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      sum += values[draw(how.seed, sample, i, values.size())];
    }
    means[sample] = sum / static_cast<double>(values.size());
  });
  return central_interval(means, how.confidence);
}

}  // namespace cellroute::metrics
