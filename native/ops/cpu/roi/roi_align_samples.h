#pragma once

#include <cstdint>
#include <vector>

#include "ops/roi_align_axis.h"

// The sample positions of RoIAlign, shared by pooling and mask projection.
namespace cellroute::ops::cpu {

/** The samples of one box on one axis. Samples that miss the map are skipped because they add
 *  nothing. */
template <typename T>
struct Axis {
  std::vector<Sample<T>> samples;
  std::vector<int64_t> bins;  // bin b has samples bins[b] to bins[b + 1]
  int64_t grid = 0;           // samples per bin, including those that miss
};

template <typename T>
Axis<T> sample_axis(const RoiAxis<T>& from, int64_t pooled) {
  Axis<T> axis;
  axis.grid = from.grid;
  axis.bins.reserve(pooled + 1);
  axis.bins.push_back(0);
  for (int64_t b = 0; b < pooled; ++b) {
    const int64_t first = from.first(b), last = from.last(b, first);
    for (int64_t i = first; i < last; ++i) {
      axis.samples.push_back(sample_at(from.position(b, i), from.extent));
    }
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

/** box: x1, y1, x2, y2 over a map of height x width cells. An invalid box has no samples. */
template <typename T>
RoiSamples<T> sample_box(const T* box, int64_t height, int64_t width,
                         const RoiAlignParams& params) {
  const auto axes = roi_axes(box, height, width, params);
  RoiSamples<T> samples;
  samples.count = axes.count;
  if (!axes.valid) {
    samples.y.bins.assign(params.pooled_height + 1, 0);
    samples.x.bins.assign(params.pooled_width + 1, 0);
    return samples;
  }
  samples.y = sample_axis(axes.y, params.pooled_height);
  samples.x = sample_axis(axes.x, params.pooled_width);
  return samples;
}

/** Calls visit(o1, w1, o2, w2, o3, w3, o4, w4) for every sample of the bin, row by row, with the
 *  offsets in a map of the four surrounding cells and their weights. */
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
