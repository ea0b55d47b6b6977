#pragma once

#include <cmath>
#include <cstdint>

#include "ops/host_device.h"

// The arithmetic of pasting a mask, shared by the kernels of all devices. It equals LibTorch's
// bilinear resize to the last bit, because a probability on the other side of the threshold is a
// different pixel. LibTorch's compiler fuses products into sums on every CPU with FMA; here
// std::fma states where.
namespace cellroute::ops {

/** Up to this height + width, LibTorch resizes with four products per pixel; larger images are
 *  resized row by row. */
inline constexpr int64_t kSmallOutput = 128;

/** Far outside any image, and far from overflow of int64 and of sizes. */
inline constexpr float kMaxPosition = 1e15F;

/** One pixel of the box on one axis, between two cells of the mask. */
struct Tap {
  int64_t low;
  int64_t high;
  float low_weight;
  float high_weight;
};

/** Position of pixel `at` of `pixels` among `cells` cells that span the same length. */
CELLROUTE_HOST_DEVICE inline Tap tap(int64_t at, int64_t pixels, int64_t cells) {
  if (pixels == cells) return {at, at, 1.0F, 0.0F};
  const float scale = static_cast<float>(cells) / static_cast<float>(pixels);
  float source = std::fma(scale, static_cast<float>(at) + 0.5F, -0.5F);
  source = source < 0.0F ? 0.0F : source;
  const auto whole = static_cast<int64_t>(source);
  const int64_t low = whole < cells - 1 ? whole : cells - 1;
  float high_weight = source - static_cast<float>(low);
  high_weight = high_weight < 0.0F ? 0.0F : high_weight > 1.0F ? 1.0F : high_weight;
  return {low, low + 1 < cells - 1 ? low + 1 : cells - 1, 1.0F - high_weight, high_weight};
}

/** The box of a mask with its border, in whole pixels, and its part inside the image. */
struct Window {
  int64_t left, top, width, height;
  int64_t x_begin, x_end, y_begin, y_end;

  CELLROUTE_HOST_DEVICE int64_t columns() const { return x_end > x_begin ? x_end - x_begin : 0; }
  CELLROUTE_HOST_DEVICE int64_t rows() const { return y_end > y_begin ? y_end - y_begin : 0; }
  CELLROUTE_HOST_DEVICE bool is_small() const { return height + width <= kSmallOutput; }
};

/** An empty window for a box that cannot be pasted. */
CELLROUTE_HOST_DEVICE inline Window window_of(const float* box, int64_t cells, int64_t height,
                                              int64_t width) {
  const auto scale =
      static_cast<float>(static_cast<double>(cells + 2) / static_cast<double>(cells));
  int64_t low[2], high[2];
  for (int axis = 0; axis < 2; ++axis) {
    const float half = (box[axis + 2] - box[axis]) * 0.5F * scale;
    const float centre = (box[axis + 2] + box[axis]) * 0.5F;
    const float from = centre - half, to = centre + half;
    // Also false for NaN.
    if (!(std::fabs(from) <= kMaxPosition && std::fabs(to) <= kMaxPosition)) return {};
    low[axis] = static_cast<int64_t>(from);
    high[axis] = static_cast<int64_t>(to);
  }
  const auto side = [](int64_t from, int64_t to) { return to - from + 1 > 1 ? to - from + 1 : 1; };
  const auto end = [](int64_t to, int64_t extent) { return to + 1 < extent ? to + 1 : extent; };
  return {low[0],
          low[1],
          side(low[0], high[0]),
          side(low[1], high[1]),
          low[0] > 0 ? low[0] : 0,
          end(high[0], width),
          low[1] > 0 ? low[1] : 0,
          end(high[1], height)};
}

/** Value at a row and column of a mask [cells, cells] with a border of one zero. */
CELLROUTE_HOST_DEVICE inline float bordered(const float* mask, int64_t cells, int64_t row,
                                            int64_t column) {
  if (row == 0 || row == cells + 1 || column == 0 || column == cells + 1) return 0.0F;
  return mask[(row - 1) * cells + column - 1];
}

/** The probability of one pixel of the window, interpolated from four cells of the mask. */
CELLROUTE_HOST_DEVICE inline float blend(const Tap& x, const Tap& y, float low_low, float low_high,
                                         float high_low, float high_high, bool small) {
  if (small) {
    float sum =
        std::fma(y.low_weight * x.low_weight, low_low, y.low_weight * x.high_weight * low_high);
    sum = std::fma(y.high_weight * x.low_weight, high_low, sum);
    return std::fma(y.high_weight * x.high_weight, high_high, sum);
  }
  const float low = std::fma(low_low, x.low_weight, low_high * x.high_weight);
  const float high = std::fma(high_low, x.low_weight, high_high * x.high_weight);
  return std::fma(low, y.low_weight, high * y.high_weight);
}

/** Calls visit(begin, end) for every run of pixels above the threshold in column x of the image,
 *  which must belong to the window. */
template <typename Visit>
CELLROUTE_HOST_DEVICE inline void for_each_column_run(const float* mask, int64_t cells,
                                                      const Window& window, int64_t x,
                                                      float threshold, Visit visit) {
  const Tap across = tap(x - window.left, window.width, cells + 2);
  const bool small = window.is_small();
  int64_t first = -1;
  for (int64_t y = window.y_begin; y < window.y_end; ++y) {
    const Tap down = tap(y - window.top, window.height, cells + 2);
    const float probability = blend(across, down, bordered(mask, cells, down.low, across.low),
                                    bordered(mask, cells, down.low, across.high),
                                    bordered(mask, cells, down.high, across.low),
                                    bordered(mask, cells, down.high, across.high), small);
    const bool inside = probability > threshold;
    if (inside && first < 0) first = y;
    if (!inside && first >= 0) {
      visit(first, y);
      first = -1;
    }
  }
  if (first >= 0) visit(first, window.y_end);
}

}  // namespace cellroute::ops
