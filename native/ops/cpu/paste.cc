#include "ops/cpu/paste.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace cellroute::ops::cpu {
namespace {

// The arithmetic is that of LibTorch's bilinear resize to the last bit, because a probability that
// rounds to the other side of the threshold is another pixel. LibTorch's compiler fuses products
// into sums on every CPU with FMA; here std::fma says where.

// LibTorch resizes to a height + width of at most this with four products a pixel, and larger ones
// row by row.
constexpr int64_t kSmallOutput = 128;

// Far outside any picture, and far from where int64 and sizes overflow.
constexpr float kFarthest = 1e15F;

/** One pixel of the box on one axis, between two cells of the mask. */
struct Tap {
  int64_t low;
  int64_t high;
  float low_weight;
  float high_weight;
};

/** Where pixel `at` of `pixels` lies among `cells` cells, both spanning the same length. */
Tap tap(int64_t at, int64_t pixels, int64_t cells) {
  if (pixels == cells) return {at, at, 1.0F, 0.0F};
  const float scale = static_cast<float>(cells) / static_cast<float>(pixels);
  const float source = std::max(std::fma(scale, static_cast<float>(at) + 0.5F, -0.5F), 0.0F);
  const auto low = std::min(static_cast<int64_t>(source), cells - 1);
  const float high_weight = std::clamp(source - static_cast<float>(low), 0.0F, 1.0F);
  return {low, std::min(low + 1, cells - 1), 1.0F - high_weight, high_weight};
}

/** The box of a mask with its border, in whole pixels, and the part of it inside the picture. */
struct Window {
  int64_t left, top, width, height;
  int64_t x_begin, x_end, y_begin, y_end;
};

/** An empty window for a box that cannot be pasted. */
Window window_of(const float* box, int64_t cells, uint32_t height, uint32_t width) {
  const auto scale =
      static_cast<float>(static_cast<double>(cells + 2) / static_cast<double>(cells));
  std::array<int64_t, 4> corners;
  for (size_t axis = 0; axis < 2; ++axis) {
    const float half = (box[axis + 2] - box[axis]) * 0.5F * scale;
    const float centre = (box[axis + 2] + box[axis]) * 0.5F;
    const float low = centre - half;
    const float high = centre + half;
    // Also false for NaN.
    if (!(std::abs(low) <= kFarthest && std::abs(high) <= kFarthest)) return {};
    corners[axis] = static_cast<int64_t>(low);
    corners[axis + 2] = static_cast<int64_t>(high);
  }
  const auto [left, top, right, bottom] = corners;
  return {
      .left = left,
      .top = top,
      .width = std::max<int64_t>(right - left + 1, 1),
      .height = std::max<int64_t>(bottom - top + 1, 1),
      .x_begin = std::max<int64_t>(left, 0),
      .x_end = std::min<int64_t>(right + 1, width),
      .y_begin = std::max<int64_t>(top, 0),
      .y_end = std::min<int64_t>(bottom + 1, height),
  };
}

/** Builds COCO counts from runs of pixels that come in the order of the columns. */
class RunWriter {
 public:
  RunWriter(uint32_t height, uint32_t width) : height_(height), width_(width) {}

  /** Pixels begin..end of the picture read column by column. */
  void add(uint64_t begin, uint64_t end) {
    if (begin == position_ && !counts_.empty()) {
      counts_.back() += static_cast<uint32_t>(end - begin);
    } else {
      counts_.push_back(static_cast<uint32_t>(begin - position_));
      counts_.push_back(static_cast<uint32_t>(end - begin));
    }
    position_ = end;
  }

  mask::Rle finish() && {
    const uint64_t pixels = static_cast<uint64_t>(height_) * width_;
    if (position_ < pixels) counts_.push_back(static_cast<uint32_t>(pixels - position_));
    counts_.shrink_to_fit();
    return {.height = height_, .width = width_, .counts = std::move(counts_)};
  }

 private:
  uint32_t height_;
  uint32_t width_;
  uint64_t position_ = 0;
  std::vector<uint32_t> counts_;
};

/** Two columns of the mask with its border, and how to blend them into a column of the picture. */
class Column {
 public:
  Column(const float* probabilities, int64_t cells, const Tap& x, bool small)
      : x_(x), small_(small), low_(cells + 2), high_(cells + 2), blend_(cells + 2) {
    for (int64_t row = 0; row < cells; ++row) {
      low_[row + 1] = cell(probabilities, cells, row, x.low);
      high_[row + 1] = cell(probabilities, cells, row, x.high);
      blend_[row + 1] = std::fma(low_[row + 1], x.low_weight, high_[row + 1] * x.high_weight);
    }
  }

  float at(const Tap& y) const {
    if (small_) {
      float sum = std::fma(y.low_weight * x_.low_weight, low_[y.low],
                           y.low_weight * x_.high_weight * high_[y.low]);
      sum = std::fma(y.high_weight * x_.low_weight, low_[y.high], sum);
      return std::fma(y.high_weight * x_.high_weight, high_[y.high], sum);
    }
    return std::fma(blend_[y.low], y.low_weight, blend_[y.high] * y.high_weight);
  }

 private:
  static float cell(const float* probabilities, int64_t cells, int64_t row, int64_t column) {
    return column == 0 || column == cells + 1 ? 0.0F : probabilities[row * cells + column - 1];
  }

  Tap x_;
  bool small_;
  std::vector<float> low_, high_, blend_;
};

mask::Rle paste(const float* probabilities, const float* box, int64_t cells, uint32_t height,
                uint32_t width, float threshold) {
  const Window window = window_of(box, cells, height, width);
  const bool small = window.height + window.width <= kSmallOutput;
  std::vector<Tap> rows;
  for (int64_t y = window.y_begin; y < window.y_end; ++y) {
    rows.push_back(tap(y - window.top, window.height, cells + 2));
  }
  RunWriter runs(height, width);
  // Without rows the box misses the picture, and it may still be a billion columns wide.
  if (rows.empty()) return std::move(runs).finish();
  for (int64_t x = window.x_begin; x < window.x_end; ++x) {
    const Column column(probabilities, cells, tap(x - window.left, window.width, cells + 2), small);
    const uint64_t top = static_cast<uint64_t>(x) * height + static_cast<uint64_t>(window.y_begin);
    for (size_t y = 0; y < rows.size(); ++y) {
      const size_t first = y;
      while (y < rows.size() && column.at(rows[y]) > threshold) ++y;
      if (y > first) runs.add(top + first, top + y);
    }
  }
  return std::move(runs).finish();
}

}  // namespace

std::vector<mask::Rle> paste_masks(const torch::Tensor& probabilities, const torch::Tensor& boxes,
                                   uint32_t height, uint32_t width, float threshold) {
  const int64_t count = probabilities.size(0), cells = probabilities.size(1);
  const float* values = probabilities.const_data_ptr<float>();
  const float* corners = boxes.const_data_ptr<float>();
  std::vector<mask::Rle> masks(count);
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      masks[i] =
          paste(values + i * cells * cells, corners + 4 * i, cells, height, width, threshold);
    }
  });
  return masks;
}

}  // namespace cellroute::ops::cpu
