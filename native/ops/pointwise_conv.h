#pragma once

#include <torch/torch.h>

#include <vector>

#include "ops/cpu/int8_pointwise_conv.h"

namespace cellroute::ops {

/** Weights [K, C] of a 1x1 convolution in float32 as pointwise_conv wants them: packed, once.
 *
 *  `products` is float32, or int8: then weights are rounded to 8 bits of each output channel's
 *  largest, and so are values, when they are read, to those of each pixel's own range, of at most
 *  2,048 channels together; sums are exact. They err by half a step: 1/254 of the largest weight,
 *  1/510 of a pixel's range. */
class PointwiseWeights {
 public:
  explicit PointwiseWeights(const torch::Tensor& weight,
                            torch::ScalarType compute_dtype = torch::kFloat32);
  /** Of each input of pointwise_conv_of_two, side by side. */
  PointwiseWeights(at::TensorList weights, torch::ScalarType compute_dtype);
  /** For kernels that are not the best: cpu::Kernels::panel. */
  PointwiseWeights(const torch::Tensor& weight, int64_t panel);
  PointwiseWeights(at::TensorList weights, const cpu::IntegerKernels& kernels);

  int64_t in_channels() const { return in_channels_; }
  int64_t out_channels() const { return out_channels_; }
  torch::ScalarType compute_dtype() const {
    return slices_.empty() ? torch::kFloat32 : torch::kInt8;
  }
  /** For the kernel: its own layout. */
  const torch::Tensor& packed() const { return packed_; }
  /** The same of int8. */
  const std::vector<cpu::Int8Slice>& slices() const { return slices_; }

 private:
  int64_t in_channels_ = 0;
  int64_t out_channels_ = 0;
  torch::Tensor packed_;
  std::vector<cpu::Int8Slice> slices_;
};

/** Whether there are products of 8 bits for this processor. */
bool pointwise_conv_supports_int8();

/** 1x1 convolution without padding, and what follows it in one pass: relu(conv(input) + bias +
 *  residual).
 *
 *  input [N, C, H, W] float32, best channels-last; bias [K]; residual [N, K, h, w] or undefined:
 *  where its sides are others than the result's, each pixel takes the nearest, as
 *  torch::upsample_nearest2d does; where `in_place` says so and it is like the result and
 *  channels-last, it becomes the result. Gives [N, K, ceil(H / stride), ceil(W / stride)],
 *  channels-last. The same numbers for any number of threads. Not differentiable. */
torch::Tensor pointwise_conv(const torch::Tensor& input, const PointwiseWeights& weights,
                             const torch::Tensor& bias, int64_t stride,
                             const torch::Tensor& residual, bool in_place, bool relu);

/** Whether this processor's kernels have pointwise_conv_of_two with such products. */
bool has_pointwise_conv_of_two(torch::ScalarType compute_dtype);

/** The sum of two 1x1 convolutions in one product, without a map between them: relu(first(a) +
 *  second(b) + bias), as a residual block with a convolution in its shortcut has it.
 *
 *  a [N, Ca, h, w] and b [N, Cb, H, W] float32, best channels-last, with h = ceil(H / stride) and w
 *  alike; weights [K, Ca + Cb]; bias [K]. Gives [N, K, h, w], channels-last. */
torch::Tensor pointwise_conv_of_two(const torch::Tensor& a, const torch::Tensor& b, int64_t stride,
                                    const PointwiseWeights& weights, const torch::Tensor& bias,
                                    bool relu);

}  // namespace cellroute::ops
