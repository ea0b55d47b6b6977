#pragma once

#include <cmath>
#include <cstdint>

#include "ops/host_device.h"
#include "ops/roi_align_params.h"

// The sample positions of RoIAlign, shared by the kernels of all devices.
namespace cellroute::ops {

/** One sample on one axis: between the map cells low and high, with their weights. */
template <typename T>
struct Sample {
  int64_t low;
  int64_t high;
  T low_weight;
  T high_weight;
};

template <typename T>
CELLROUTE_HOST_DEVICE inline Sample<T> sample_at(T position, int64_t extent) {
  if (position < T(0)) position = T(0);
  const auto low = static_cast<int64_t>(position);
  if (low >= extent - 1) return {extent - 1, extent - 1, T(1), T(0)};
  const T high_weight = position - static_cast<T>(low);
  return {low, low + 1, T(1) - high_weight, high_weight};
}

/** The samples of one box on one axis: `grid` per bin, at position(bin, i). */
template <typename T>
struct RoiAxis {
  T start;
  T bin;
  int64_t grid;
  int64_t extent;

  CELLROUTE_HOST_DEVICE T position(int64_t b, int64_t i) const {
    return start + static_cast<T>(b) * bin +
           (static_cast<T>(i) + T(0.5)) * bin / static_cast<T>(grid);
  }

  /** The first sample of a bin at a position of at least -1; earlier samples miss the map and
   *  add nothing. Positions are increasing even after rounding, so it is found by bisection: a
   *  box of a billion pixels costs no more than the map. */
  CELLROUTE_HOST_DEVICE int64_t first(int64_t b) const {
    return bisect(0, [&](int64_t i) { return position(b, i) < T(-1); });
  }

  /** The index after the last sample of a bin that is on the map. */
  CELLROUTE_HOST_DEVICE int64_t last(int64_t b, int64_t first) const {
    return bisect(first, [&](int64_t i) { return position(b, i) <= static_cast<T>(extent); });
  }

 private:
  /** The first index in from..grid for which `before` is false; it must be true for all earlier
   *  ones. */
  template <typename Before>
  CELLROUTE_HOST_DEVICE int64_t bisect(int64_t from, Before before) const {
    int64_t to = grid;
    while (from < to) {
      const int64_t middle = from + (to - from) / 2;
      if (before(middle)) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  }
};

/** Both axes of a box (x1, y1, x2, y2) over a map of height x width cells. */
template <typename T>
struct RoiAxes {
  /** False for an invalid box, which has no samples. */
  bool valid = false;
  /** Samples per bin, including those that miss the map; at least 1. */
  T count = 1;
  RoiAxis<T> y{};
  RoiAxis<T> x{};
};

template <typename T>
CELLROUTE_HOST_DEVICE inline RoiAxis<T> roi_axis(T start, T length, int64_t pooled,
                                                 int64_t sampling_ratio, int64_t extent) {
  const T bin = length / static_cast<T>(pooled);
  int64_t grid = sampling_ratio;
  if (grid <= 0) {
    const T wanted = std::ceil(bin);
    grid =
        wanted < static_cast<T>(kMaxRoiAlignGrid) ? static_cast<int64_t>(wanted) : kMaxRoiAlignGrid;
  }
  return {start, bin, grid, extent};
}

template <typename T>
CELLROUTE_HOST_DEVICE inline RoiAxes<T> roi_axes(const T* box, int64_t height, int64_t width,
                                                 const RoiAlignParams& params) {
  const T scale = static_cast<T>(params.spatial_scale);
  const T offset = params.aligned ? T(0.5) : T(0);
  const T x1 = box[0] * scale - offset;
  const T y1 = box[1] * scale - offset;
  T w = (box[2] * scale - offset) - x1;
  T h = (box[3] * scale - offset) - y1;
  RoiAxes<T> axes;
  // Comparisons with NaN are false; a maximum would hide it.
  if (!std::isfinite(x1) || !std::isfinite(y1) || !std::isfinite(w) || !std::isfinite(h))
    return axes;
  if (params.aligned) {
    if (w < 0 || h < 0) return axes;
  } else {
    w = w < T(1) ? T(1) : w;
    h = h < T(1) ? T(1) : h;
  }
  axes.valid = true;
  axes.y = roi_axis(y1, h, params.pooled_height, params.sampling_ratio, height);
  axes.x = roi_axis(x1, w, params.pooled_width, params.sampling_ratio, width);
  const int64_t all = axes.y.grid * axes.x.grid;
  axes.count = static_cast<T>(all < 1 ? 1 : all);
  return axes;
}

}  // namespace cellroute::ops
