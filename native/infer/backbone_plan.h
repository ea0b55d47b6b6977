#pragma once

#include <torch/types.h>

#include <optional>
#include <string>
#include <vector>

#include "infer/layers.h"
#include "infer/state.h"
#include "model/config.h"
#include "model/resnet.h"

namespace cellroute::infer {

/** A convolution and the norm after it. A batch norm is folded into the convolution; a group
 *  norm depends on the image and is computed separately. */
class ConvNorm {
 public:
  ConvNorm(const State& state, const std::string& conv, const std::string& norm,
           const model::NormConfig& config, int64_t stride, Activation activation,
           torch::ScalarType compute_dtype);

  torch::Tensor operator()(const torch::Tensor& input) const;
  /** See ConvLayer::add. */
  torch::Tensor add(const torch::Tensor& input, const torch::Tensor& sum) const;

 private:
  struct Group {
    Affine affine;
    int64_t groups;
    double eps;

    torch::Tensor operator()(const torch::Tensor& maps) const;
  };

  bool relu_;
  std::optional<Group> group_;
  ConvLayer conv_;
};

/** A compiled model::ResNet: its layers from a state whose keys start with `prefix`. */
class ResNetPlan {
 public:
  ResNetPlan(const State& state, const std::string& prefix, const model::ResNetConfig& config,
             torch::ScalarType compute_dtype);

  /** Maps images [N, 3, H, W], channels-last and of the plan's type, to each layer's output. */
  std::vector<torch::Tensor> operator()(const torch::Tensor& images,
                                        const model::Progress& progress) const;

 private:
  struct Block {
    std::vector<ConvNorm> convs;  // the last one adds the shortcut, unless `sum` does
    std::optional<ConvNorm> downsample;
    std::optional<ResidualSum> sum;
  };

  static Block make_block(const State& state, const std::string& key,
                          const model::ResNetConfig& config, int64_t stride,
                          torch::ScalarType compute_dtype);

  static torch::Tensor run(const Block& block, const torch::Tensor& maps);

  ConvNorm stem_;
  std::vector<std::vector<Block>> layers_;
};

/** A compiled model::FeaturePyramidNetwork. */
class PyramidPlan {
 public:
  PyramidPlan(const State& state, const std::string& prefix, bool extra_level,
              torch::ScalarType compute_dtype);

  /** Frees each map as soon as it has been used: the maps are the largest tensors at this point. */
  std::vector<torch::Tensor> operator()(std::vector<torch::Tensor> maps) const;

 private:
  std::vector<ConvLayer> inner_, layer_;
  bool extra_level_;
};

}  // namespace cellroute::infer
