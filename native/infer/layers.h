#pragma once

#include <torch/types.h>

#include <optional>
#include <variant>
#include <vector>

#include "infer/state.h"
#include "model/conv_block.h"
#include "ops/activations.h"
#include "ops/pointwise_conv.h"
#include "ops/winograd_conv.h"

// Layers of a plan: weights packed once for one compute dtype, with the following operations fused.
// Inputs and outputs are channels-last.
namespace cellroute::infer {

using model::Activation;
using ops::activation_dtype;

/** A convolution with any stride, padded by half its kernel, and its activation. For float32
 *  activations our own Winograd and 1x1 kernels are used where they are faster; otherwise
 *  LibTorch's fused oneDNN convolution. */
class ConvLayer {
 public:
  /** weight [K, C, S, S] and bias [K], float32. `compute_dtype` is float32, bfloat16, float16
   *  (GPU) or int8. With int8, 1x1 convolutions use 8 bits and Winograd uses 16, because 8 would
   *  be too coarse there. */
  ConvLayer(const torch::Tensor& weight, const torch::Tensor& bias, int64_t stride,
            Activation activation, torch::ScalarType compute_dtype);

  torch::Tensor operator()(const torch::Tensor& input) const;

  /** The activation of the convolution plus `sum`. The memory of `sum` may be reused for the
   *  result. */
  torch::Tensor add(const torch::Tensor& input, const torch::Tensor& sum) const;

  /** The same plus a map of another size, upsampled by nearest neighbour. Nothing is
   *  overwritten. */
  torch::Tensor add_nearest(const torch::Tensor& input, const torch::Tensor& sum) const;

 private:
  int64_t stride_;
  int64_t padding_;
  bool relu_;
  torch::Tensor bias_;  // of the dtype that the implementation needs
  // Exactly one of these is set.
  std::optional<ops::WinogradWeights> winograd_;
  std::optional<ops::PointwiseWeights> pointwise_;
  // Packed for oneDNN. For maps of other sizes oneDNN needs another packing and repacks at each
  // call.
  mutable torch::Tensor weight_;
  mutable std::vector<int64_t> packed_for_;

  const torch::Tensor& weight_for(const torch::Tensor& input) const;
};

/** The last convolution of a residual block and the one in its shortcut, both 1x1, with their
 *  sum and ReLU: one product where the processor has kernels for the dtype, two calls otherwise. */
class ResidualSum {
 public:
  /** `stride` is the shortcut's. */
  ResidualSum(const Affine& last, const Affine& shortcut, int64_t stride,
              torch::ScalarType compute_dtype);

  torch::Tensor operator()(const torch::Tensor& inside, const torch::Tensor& maps) const;

 private:
  struct Fused {
    ops::PointwiseWeights weights;
    torch::Tensor bias;
    int64_t stride;
  };
  struct Separate {
    ConvLayer last, shortcut;
  };

  std::variant<Fused, Separate> convs_;

  static std::variant<Fused, Separate> pack(const Affine& last, const Affine& shortcut,
                                            int64_t stride, torch::ScalarType compute_dtype);
};

/** input [N, in] times weight [out, in] plus bias [out], then the activation; in int8 if
 *  requested. */
class LinearLayer {
 public:
  LinearLayer(const torch::Tensor& weight, const torch::Tensor& bias, Activation activation,
              torch::ScalarType compute_dtype);

  /** Multiplies by the original weight without copying it. */
  static LinearLayer unpacked(const Affine& affine, Activation activation);

  torch::Tensor operator()(const torch::Tensor& input) const;

 private:
  LinearLayer(bool relu, torch::Tensor bias, torch::Tensor weight);

  bool relu_;
  torch::Tensor bias_;
  std::optional<ops::PointwiseWeights> pointwise_;  // for int8
  bool packed_ = false;                             // for oneDNN
  torch::Tensor weight_;
};

}  // namespace cellroute::infer
