#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace cellroute::ops {

namespace cpu {
struct PackedWinograd;
}

/** Weights [K, C, 3, 3] of a convolution, transformed and packed for winograd_conv().
 *
 *  `compute_dtype` is float32; bfloat16, summed in float32; or int16 with float32 maps, summed
 *  exactly: a tile's values at a point are quantised, over their own range, to the 10 to 15 bits
 *  with which the sums over all channels fit 32 bits. A tile has `side` x `side` outputs. With
 *  4, F(4x4, 3x3), there are 4 times fewer products than in a direct convolution and an error of
 *  about 2e-6 of the largest value (2e-3 with int16). With 2, F(2x2, 3x3), there are 2.25 times
 *  fewer products, the weights are 1.8 times as large as the filters instead of 4 times, and the
 *  int16 error is a third. Larger tiles would be too coarse for bfloat16. */
class WinogradWeights {
 public:
  WinogradWeights(const at::Tensor& weight, at::ScalarType compute_dtype, int64_t side);

  int64_t in_channels() const;
  int64_t out_channels() const;
  int64_t side() const;
  at::ScalarType compute_dtype() const;
  /** The weights in the layout of this processor's kernels. */
  const cpu::PackedWinograd& packed() const { return *packed_; }

 private:
  std::shared_ptr<const cpu::PackedWinograd> packed_;
};

/** Whether this processor supports the compute dtype: float32 always, bfloat16 if it has
 *  instructions for it and LibTorch uses them, int16 with AVX2 or AVX-512 VNNI. */
bool winograd_supports(at::ScalarType compute_dtype);

/** The tile side with which winograd_conv() is fastest on this processor for this many channels,
 *  measured against LibTorch's direct convolution with packed weights and fused ReLU
 *  (bench/README.md); int16 as for float32. 0 if the direct convolution is faster. */
int64_t fastest_winograd_side(int64_t in_channels, int64_t out_channels,
                              at::ScalarType compute_dtype);

/** A 3x3 convolution with stride 1 and padding 1 by Winograd's minimal filtering (Lavin and Gray
 *  2015), and the following operations in one pass: relu(conv(input) + bias + residual).
 *
 *  input [N, C, H, W] of the weights' activation dtype; bias [K] float32; residual like the
 *  result or undefined. Returns [N, K, H, W] of the input's type, channels-last, which is also
 *  the preferred input layout. Results do not depend on the number of threads. Not
 *  differentiable. */
at::Tensor winograd_conv(const at::Tensor& input, const WinogradWeights& weights,
                         const at::Tensor& bias, const at::Tensor& residual, bool relu);

/** The same convolution for training, in float32: weight [K, C, 3, 3] and bias [K] or undefined
 *  are transformed in each call. Differentiable once in all three. */
at::Tensor winograd_conv(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace cellroute::ops
