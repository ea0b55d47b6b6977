#pragma once

#include <cstdint>

#include "ops/roi_align_axis.h"

namespace cellroute::ops {

/** Adds the contribution of one box to one row of a map's gradient, for one channel: RoIAlign's
 *  backward pass without atomics. grad points to the box's bins of the channel; strides are in
 *  elements. The order of the sums is that of the CPU kernel. */
template <typename T>
CELLROUTE_HOST_DEVICE inline void add_box_to_row(const RoiAxes<T>& axes,
                                                 const RoiAlignParams& params, int64_t own,
                                                 const T* grad, int64_t grad_row_stride,
                                                 int64_t grad_column_stride, T* row,
                                                 int64_t column_stride) {
  const int64_t height = axes.y.extent, width = axes.x.extent;
  for (int64_t ph = 0; ph < params.pooled_height; ++ph) {
    const int64_t y_first = axes.y.first(ph), y_last = axes.y.last(ph, y_first);
    if (y_first == y_last) continue;
    // Samples are increasing: a bin whose first and last sample lie on other rows is skipped.
    if (sample_at(axes.y.position(ph, y_first), height).low > own ||
        sample_at(axes.y.position(ph, y_last - 1), height).high < own) {
      continue;
    }
    for (int64_t pw = 0; pw < params.pooled_width; ++pw) {
      const T upstream = grad[ph * grad_row_stride + pw * grad_column_stride];
      const int64_t x_first = axes.x.first(pw), x_last = axes.x.last(pw, x_first);
      for (int64_t iy = y_first; iy < y_last; ++iy) {
        const auto y = sample_at(axes.y.position(ph, iy), height);
        if (y.low != own && y.high != own) continue;
        for (int64_t ix = x_first; ix < x_last; ++ix) {
          const auto x = sample_at(axes.x.position(pw, ix), width);
          const auto add = [&](T y_weight) {
            row[x.low * column_stride] += y_weight * x.low_weight / axes.count * upstream;
            row[x.high * column_stride] += y_weight * x.high_weight / axes.count * upstream;
          };
          if (y.low == own) add(y.low_weight);
          if (y.high == own) add(y.high_weight);
        }
      }
    }
  }
}

}  // namespace cellroute::ops
