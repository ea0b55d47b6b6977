#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace cellroute::ops {

namespace cpu {
struct PackedPointwise;
}

/** Weights [K, C] of a 1x1 convolution in float32, packed for pointwise_conv().
 *
 *  `compute_dtype` is float32 or int8. With int8, weights are rounded to 8 bits relative to the
 *  largest weight of each output channel, and values are rounded when read, relative to each
 *  pixel's own range over at most 2,048 channels. Sums are exact. The error is half a step:
 *  1/254 of the largest weight, 1/510 of a pixel's range. */
class PointwiseWeights {
 public:
  explicit PointwiseWeights(const at::Tensor& weight, at::ScalarType compute_dtype = at::kFloat);
  /** The weights of each input of pointwise_conv_of_two(), side by side. */
  PointwiseWeights(at::TensorList weights, at::ScalarType compute_dtype);

  int64_t in_channels() const;
  int64_t out_channels() const;
  at::ScalarType compute_dtype() const;
  /** The weights in the layout of this processor's kernels. */
  const cpu::PackedPointwise& packed() const { return *packed_; }

 private:
  std::shared_ptr<const cpu::PackedPointwise> packed_;
};

/** Whether this processor has 8-bit kernels. */
bool pointwise_conv_supports_int8();

/** A 1x1 convolution without padding and the following operations in one pass: relu(conv(input)
 *  + bias + residual).
 *
 *  input [N, C, H, W] float32, preferably channels-last; bias [K]; residual [N, K, h, w] or
 *  undefined. A residual of another size is upsampled by nearest neighbour like
 *  at::upsample_nearest2d; if `in_place` is true and it has the result's size and channels-
 *  last layout, it is overwritten by the result. Returns [N, K, ceil(H / stride), ceil(W /
 *  stride)], channels-last. Results do not depend on the number of threads. Not differentiable. */
at::Tensor pointwise_conv(const at::Tensor& input, const PointwiseWeights& weights,
                          const at::Tensor& bias, int64_t stride, const at::Tensor& residual,
                          bool in_place, bool relu);

/** Whether this processor has kernels for pointwise_conv_of_two() with this dtype. */
bool has_pointwise_conv_of_two(at::ScalarType compute_dtype);

/** The sum of two 1x1 convolutions in one product, without an intermediate map: relu(first(a) +
 *  second(b) + bias), as in a residual block with a convolution in its shortcut.
 *
 *  a [N, Ca, h, w] and b [N, Cb, H, W] float32, preferably channels-last, with h = ceil(H /
 *  stride) and w = ceil(W / stride); weights [K, Ca + Cb]; bias [K]. Returns [N, K, h, w],
 *  channels-last. */
at::Tensor pointwise_conv_of_two(const at::Tensor& a, const at::Tensor& b, int64_t stride,
                                 const PointwiseWeights& weights, const at::Tensor& bias,
                                 bool relu);

}  // namespace cellroute::ops
