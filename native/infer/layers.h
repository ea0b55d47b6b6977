#pragma once

#include <torch/torch.h>

#include <optional>
#include <variant>
#include <vector>

#include "infer/state.h"
#include "model/conv_block.h"
#include "ops/activation_dtype.h"
#include "ops/pointwise_conv.h"
#include "ops/winograd_conv.h"

// The layers of a plan: weights packed once for one type of values, with what follows them fused.
// They take and give maps in channels-last.
namespace cellroute::infer {

using model::Activation;
using ops::activation_dtype;

/** A convolution of stride 1 or more that pads by half its kernel, then the activation. Where maps
 *  are float32 ours, Winograd and 1x1, where they are faster; LibTorch's fused oneDNN convolution
 *  elsewhere. */
class ConvLayer {
 public:
  /** weight [K, C, S, S] and bias [K], float32; `products` is float32, bfloat16, float16 on a GPU,
   *  or int8: then 1x1 by 8 bits, and Winograd's points by 16, since 8 would be too coarse. */
  ConvLayer(const torch::Tensor& weight, const torch::Tensor& bias, int64_t stride,
            Activation activation, torch::ScalarType compute_dtype);

  torch::Tensor operator()(const torch::Tensor& input) const;

  /** The activation of the convolution plus `sum`, whose memory may become the result's. */
  torch::Tensor add(const torch::Tensor& input, const torch::Tensor& sum) const;

  /** The same plus a map of another size, each pixel taking the nearest; nothing is overwritten. */
  torch::Tensor add_nearest(const torch::Tensor& input, const torch::Tensor& sum) const;

 private:
  int64_t stride_;
  int64_t padding_;
  bool relu_;
  torch::Tensor bias_;  // of the type the implementation wants
  // One of the three.
  std::optional<ops::WinogradWeights> winograd_;
  std::optional<ops::PointwiseWeights> pointwise_;
  // Packed for oneDNN, which wants it otherwise for maps of other sizes and then packs it again at
  // each call.
  mutable torch::Tensor weight_;
  mutable std::vector<int64_t> packed_for_;

  const torch::Tensor& weight_for(const torch::Tensor& input) const;
};

/** The last convolution of a residual block and the one in its shortcut, both 1x1, with their sum
 *  and ReLU: one product where this processor has that for the type, one after the other
 *  elsewhere. */
class ResidualSum {
 public:
  /** `stride` is the shortcut's. */
  ResidualSum(const Affine& last, const Affine& shortcut, int64_t stride,
              torch::ScalarType compute_dtype);

  torch::Tensor operator()(const torch::Tensor& inside, const torch::Tensor& maps) const;

 private:
  struct Together {
    ops::PointwiseWeights weights;
    torch::Tensor bias;
    int64_t stride;
  };
  struct Apart {
    ConvLayer last, shortcut;
  };

  std::variant<Together, Apart> convs_;

  static std::variant<Together, Apart> pack(const Affine& last, const Affine& shortcut,
                                            int64_t stride, torch::ScalarType compute_dtype);
};

/** input [N, in] times weight [out, in] plus bias [out], then the activation; by int8 where asked
 *  for. */
class LinearLayer {
 public:
  LinearLayer(const torch::Tensor& weight, const torch::Tensor& bias, Activation activation,
              torch::ScalarType compute_dtype);

  /** Multiplies by the weight where it lies, without a copy of its own. */
  static LinearLayer unpacked(const Affine& affine, Activation activation);

  torch::Tensor operator()(const torch::Tensor& input) const;

 private:
  LinearLayer(bool relu, torch::Tensor bias, torch::Tensor weight);

  bool relu_;
  torch::Tensor bias_;
  std::optional<ops::PointwiseWeights> pointwise_;  // of int8
  bool packed_ = false;                             // for oneDNN
  torch::Tensor weight_;
};

}  // namespace cellroute::infer
