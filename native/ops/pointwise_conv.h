#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** Weights [K, C] of a 1x1 convolution in float32 as pointwise_conv wants them: packed, once. */
class PointwiseWeights {
 public:
  explicit PointwiseWeights(const torch::Tensor& weight);
  /** For kernels that are not the best: cpu::Kernels::panel. */
  PointwiseWeights(const torch::Tensor& weight, int64_t panel);

  int64_t in_channels() const { return in_channels_; }
  int64_t out_channels() const { return out_channels_; }
  /** For the kernel: its own layout. */
  const torch::Tensor& packed() const { return packed_; }

 private:
  int64_t in_channels_;
  int64_t out_channels_;
  torch::Tensor packed_;
};

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

/** Whether this processor's kernels have pointwise_conv_of_two. */
bool has_pointwise_conv_of_two();

/** The sum of two 1x1 convolutions in one product, without a map between them: relu(first(a) +
 *  second(b) + bias), as a residual block with a convolution in its shortcut has it.
 *
 *  a [N, Ca, h, w] and b [N, Cb, H, W] float32, best channels-last, with h = ceil(H / stride) and w
 *  alike; weights [K, Ca + Cb]; bias [K]. Gives [N, K, h, w], channels-last. */
torch::Tensor pointwise_conv_of_two(const torch::Tensor& a, const torch::Tensor& b, int64_t stride,
                                    const PointwiseWeights& weights, const torch::Tensor& bias,
                                    bool relu);

}  // namespace cellroute::ops
