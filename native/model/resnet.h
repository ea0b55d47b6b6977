#pragma once

#include <functional>
#include <vector>

#include "model/config.h"
#include "nn.h"

namespace cellroute::model {

/** Two 3x3 convolutions and a shortcut: ResNet 18 and 34. */
class BasicBlockImpl : public torch::nn::Module {
 public:
  static constexpr int64_t kExpansion = 1;

  BasicBlockImpl(int64_t in_channels, int64_t planes, int64_t stride, const NormConfig& norm);

  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::nn::Conv2d conv1_, conv2_;
  torch::nn::AnyModule bn1_, bn2_;
  torch::nn::Sequential downsample_{nullptr};
};
TORCH_MODULE(BasicBlock);

/** 1x1, 3x3 (with the stride, as in torchvision) and 1x1 convolutions and a shortcut: ResNet 50
 *  and 101. */
class BottleneckImpl : public torch::nn::Module {
 public:
  static constexpr int64_t kExpansion = 4;

  BottleneckImpl(int64_t in_channels, int64_t planes, int64_t stride, const NormConfig& norm);

  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::nn::Conv2d conv1_, conv2_, conv3_;
  torch::nn::AnyModule bn1_, bn2_, bn3_;
  torch::nn::Sequential downsample_{nullptr};
};
TORCH_MODULE(Bottleneck);

/** Called with the fraction of the work that is done, 0 to 1. May throw Cancelled. */
using Progress = std::function<void(double)>;

/** Number of output channels of `layer` (1 to 4) of a ResNet. */
int64_t resnet_channels(const ResNetConfig& config, int64_t layer);

/** A ResNet (He et al. 2015) without its head, up to and including layer `last_layer` (1 to 4).
 *  Keys as in torchvision: conv1, bn1, layer1 to layer4. */
class ResNetImpl : public torch::nn::Module {
 public:
  explicit ResNetImpl(const ResNetConfig& config, int64_t last_layer = 4);

  /** Maps [N, 3, H, W] to the outputs of the layers, at strides 4, 8, 16 and 32. */
  std::vector<torch::Tensor> layers(const torch::Tensor& x, const Progress& progress = {});

 private:
  torch::nn::Conv2d conv1_;
  torch::nn::AnyModule bn1_;
  std::vector<torch::nn::Sequential> layers_;
};
TORCH_MODULE(ResNet);

}  // namespace cellroute::model
