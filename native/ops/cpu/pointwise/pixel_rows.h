#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ops/cpu/roi/nearest.h"

namespace cellroute::ops::cpu {

inline int64_t pixels_of(const at::Tensor& maps) {
  return maps.size(0) * maps.size(2) * maps.size(3);
}

/** Channels-last maps read by a 1x1 convolution: the channels of the input pixel for each pixel
 *  of the result. */
class PixelRows {
 public:
  PixelRows(const at::Tensor& maps, int64_t stride, const at::Tensor& output)
      : maps_(maps.const_data_ptr<float>()),
        channels_(maps.size(1)),
        height_(maps.size(2)),
        width_(maps.size(3)),
        rows_(output.size(2)),
        columns_(output.size(3)),
        stride_(stride) {}

  int64_t channels() const { return channels_; }
  /** Whether consecutive pixels of the result are consecutive here too. */
  bool dense() const { return stride_ == 1; }

  const float* at(int64_t pixel) const {
    const int64_t image = pixel / (rows_ * columns_), inside = pixel % (rows_ * columns_);
    const int64_t y = image * height_ + inside / columns_ * stride_;
    return maps_ + (y * width_ + inside % columns_ * stride_) * channels_;
  }

 private:
  const float* maps_;
  int64_t channels_;
  int64_t height_, width_;  // of the maps
  int64_t rows_, columns_;  // of the result
  int64_t stride_;
};

/** For one or two inputs of a convolution; the stride applies to the last one. */
inline std::vector<PixelRows> pixel_rows(at::TensorList inputs, int64_t stride,
                                         const at::Tensor& output) {
  std::vector<PixelRows> rows;
  for (const auto& input : inputs.slice(0, inputs.size() - 1)) rows.emplace_back(input, 1, output);
  rows.emplace_back(inputs.back(), stride, output);
  return rows;
}

/** Channels-last maps that are added to a result, by nearest neighbour. */
class ResidualRows {
 public:
  ResidualRows(const at::Tensor& maps, const at::Tensor& output)
      : maps_(maps.const_data_ptr<float>()),
        channels_(maps.size(1)),
        height_(maps.size(2)),
        width_(maps.size(3)),
        rows_(nearest_sources(height_, output.size(2))),
        columns_(nearest_sources(width_, output.size(3))) {}

  const float* at(int64_t pixel) const {
    const auto height = static_cast<int64_t>(rows_.size());
    const auto width = static_cast<int64_t>(columns_.size());
    const int64_t line = pixel / width;
    const int64_t y = line / height * height_ + rows_[line % height];
    return maps_ + (y * width_ + columns_[pixel % width]) * channels_;
  }

 private:
  const float* maps_;
  int64_t channels_, height_, width_;
  std::vector<int64_t> rows_, columns_;

  /** The nearest source index for each of `to` positions, of `from`. */
  static std::vector<int64_t> nearest_sources(int64_t from, int64_t to) {
    std::vector<int64_t> sources(to);
    for (int64_t i = 0; i < to; ++i) sources[i] = nearest_source(i, from, to);
    return sources;
  }
};

}  // namespace cellroute::ops::cpu
