#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ranges>
#include <vector>

#include "ops/roi_align_params.h"

// Where RoIAlign samples a map: shared by all that pool or project with it.
namespace cellroute::ops::cpu {

/** One sample on one axis: between the map cells low and high, with the weight of each. */
template <typename T>
struct Sample {
  int64_t low;
  int64_t high;
  T low_weight;
  T high_weight;
};

/** The samples of one box on one axis. Those that miss the map are left out: they add nothing. */
template <typename T>
struct Axis {
  std::vector<Sample<T>> samples;
  std::vector<int64_t> bins;  // bin b has samples bins[b] to bins[b + 1]
  int64_t grid = 0;           // samples a bin, with those that miss
};

template <typename T>
Sample<T> sample_at(T position, int64_t extent) {
  position = std::max(position, T(0));
  const auto low = static_cast<int64_t>(position);
  if (low >= extent - 1) return {extent - 1, extent - 1, T(1), T(0)};
  const T high_weight = position - static_cast<T>(low);
  return {low, low + 1, T(1) - high_weight, high_weight};
}

template <typename T>
Axis<T> sample_axis(T start, T length, int64_t pooled, int64_t sampling_ratio, int64_t extent) {
  const T bin = length / static_cast<T>(pooled);
  Axis<T> axis;
  axis.grid =
      sampling_ratio > 0
          ? sampling_ratio
          : static_cast<int64_t>(std::min(std::ceil(bin), static_cast<T>(kMaxRoiAlignGrid)));
  axis.bins.reserve(pooled + 1);
  axis.bins.push_back(0);
  for (int64_t b = 0; b < pooled; ++b) {
    const auto position = [&](int64_t i) {
      return start + static_cast<T>(b) * bin +
             (static_cast<T>(i) + T(0.5)) * bin / static_cast<T>(axis.grid);
    };
    // Rounding keeps the order of the positions, so those on the map are found by bisection: a box
    // of a billion pixels costs no more than the map.
    const auto all = std::views::iota(int64_t{0}, axis.grid);
    const auto first =
        std::ranges::partition_point(all, [&](int64_t i) { return position(i) < T(-1); });
    const auto last = std::ranges::partition_point(
        first, all.end(), [&](int64_t i) { return position(i) <= static_cast<T>(extent); });
    for (auto i = first; i != last; ++i) axis.samples.push_back(sample_at(position(*i), extent));
    axis.bins.push_back(static_cast<int64_t>(axis.samples.size()));
  }
  return axis;
}

template <typename T>
struct RoiSamples {
  T count = 1;
  Axis<T> y;
  Axis<T> x;
};

/** box: x1, y1, x2, y2 over a map of height x width cells. A box that is none has no samples. */
template <typename T>
RoiSamples<T> sample_box(const T* box, int64_t height, int64_t width,
                         const RoiAlignParams& params) {
  const T scale = static_cast<T>(params.spatial_scale);
  const T offset = params.aligned ? T(0.5) : T(0);
  const T x1 = box[0] * scale - offset;
  const T y1 = box[1] * scale - offset;
  T w = (box[2] * scale - offset) - x1;
  T h = (box[3] * scale - offset) - y1;
  RoiSamples<T> samples;
  samples.y.bins.assign(params.pooled_height + 1, 0);
  samples.x.bins.assign(params.pooled_width + 1, 0);
  // Comparisons with NaN are false; std::max would hide it.
  if (!std::isfinite(x1) || !std::isfinite(y1) || !std::isfinite(w) || !std::isfinite(h)) {
    return samples;
  }
  if (params.aligned) {
    if (w < 0 || h < 0) return samples;
  } else {
    w = std::max(w, T(1));
    h = std::max(h, T(1));
  }
  samples.y = sample_axis(y1, h, params.pooled_height, params.sampling_ratio, height);
  samples.x = sample_axis(x1, w, params.pooled_width, params.sampling_ratio, width);
  samples.count = static_cast<T>(std::max<int64_t>(samples.y.grid * samples.x.grid, 1));
  return samples;
}

/** Calls visit(o1, w1, o2, w2, o3, w3, o4, w4) for every sample of the bin, row by row: the offsets
 *  in a map of the four cells around it, and their weights. */
template <typename T, typename Visit>
void for_each_sample(const RoiSamples<T>& roi, int64_t ph, int64_t pw, int64_t row_stride,
                     int64_t column_stride, Visit visit) {
  for (int64_t i = roi.y.bins[ph]; i < roi.y.bins[ph + 1]; ++i) {
    const Sample<T>& y = roi.y.samples[i];
    const int64_t low = y.low * row_stride, high = y.high * row_stride;
    for (int64_t j = roi.x.bins[pw]; j < roi.x.bins[pw + 1]; ++j) {
      const Sample<T>& x = roi.x.samples[j];
      const int64_t left = x.low * column_stride, right = x.high * column_stride;
      visit(low + left, y.low_weight * x.low_weight,    //
            low + right, y.low_weight * x.high_weight,  //
            high + left, y.high_weight * x.low_weight,  //
            high + right, y.high_weight * x.high_weight);
    }
  }
}

}  // namespace cellroute::ops::cpu
