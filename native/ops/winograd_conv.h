#pragma once

#include <torch/torch.h>

#include "ops/cpu/integer_matrix.h"

namespace cellroute::ops {

/** Weights [K, C, 3, 3] of a convolution as winograd_conv wants them: transformed and packed, once.
 *
 *  `products` is float32; or bfloat16, summed in float32; or int16, of float32 maps, summed
 * exactly: a tile's values at a point are spread, over their own range, over the 10 to 15 bits of
 * which so many channels' sums fit 32. A tile has `side` x `side` outputs: 4 in F(4x4, 3x3), with 4
 * times fewer products than there are in a direct convolution and an error of about 2e-6 of the
 * largest value, with int16 about 2e-3; 2 in F(2x2, 3x3), with 2.25 times fewer, weights that
 * are 1.8 times the filters and not 4 times, and with int16 a third of the error. For bfloat16
 * larger tiles would be too coarse. */
class WinogradWeights {
 public:
  WinogradWeights(const torch::Tensor& weight, torch::ScalarType compute_dtype, int64_t side);
  /** For kernels that are not the best: cpu::Kernels::panel. */
  WinogradWeights(const torch::Tensor& weight, torch::ScalarType compute_dtype, int64_t side,
                  int64_t panel);
  /** Of int16. */
  WinogradWeights(const torch::Tensor& weight, int64_t side, const cpu::IntegerKernels& kernels);

  int64_t in_channels() const { return in_channels_; }
  int64_t out_channels() const { return out_channels_; }
  int64_t side() const { return side_; }
  torch::ScalarType compute_dtype() const {
    return packed_.defined() ? packed_.scalar_type() : torch::kInt16;
  }
  /** For the kernel: its own layout. */
  const torch::Tensor& packed() const { return packed_; }
  /** The same of int16. */
  const cpu::IntegerMatrix& integers() const { return integers_; }

 private:
  /** Without any weights. */
  WinogradWeights(const torch::Tensor& weight, int64_t side);

  int64_t in_channels_;
  int64_t out_channels_;
  int64_t side_;
  torch::Tensor packed_;
  cpu::IntegerMatrix integers_;
};

/** Whether this processor has what these products need: float32 always, bfloat16 where it has
 *  instructions for it and LibTorch uses them, int16 with AVX2 or AVX-512's VNNI. */
bool winograd_supports(torch::ScalarType compute_dtype);

/** The side of the tiles by which winograd_conv is fastest on this processor for so many channels,
 *  as measured against LibTorch's direct convolution with weights packed and ReLU fused
 *  (bench/README.md), int16 as float32; 0 where that is faster. */
int64_t fastest_winograd_side(int64_t in_channels, int64_t out_channels,
                              torch::ScalarType compute_dtype);

/** 3x3 convolution of stride 1 and padding 1 by Winograd's minimal filtering (Lavin and Gray 2015),
 *  and what follows it in one pass: relu(conv(input) + bias + residual).
 *
 *  input [N, C, H, W], of the type that the weights are for; bias [K] float32; residual like the
 *  result or undefined. Gives [N, K, H, W] of the input's type, channels-last, as the input best
 *  is. The same numbers for any number of threads. Not differentiable. */
torch::Tensor winograd_conv(const torch::Tensor& input, const WinogradWeights& weights,
                            const torch::Tensor& bias, const torch::Tensor& residual, bool relu);

/** The same convolution for training, in float32: weight [K, C, 3, 3] and bias [K] or undefined are
 *  transformed in each call. Differentiable once, in all three. */
torch::Tensor winograd_conv(const torch::Tensor& input, const torch::Tensor& weight,
                            const torch::Tensor& bias);

}  // namespace cellroute::ops
