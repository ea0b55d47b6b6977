#pragma once

#include "nn.h"

namespace cellroute::model {

enum class Activation { kNone, kRelu };

/** A convolution that keeps the map's size, with a bias initialised to 0, and its activation:
 *  torchvision's Conv2dNormActivation without a norm. Keys: 0. */
class ConvBlockImpl : public torch::nn::Module {
 public:
  ConvBlockImpl(int64_t in_channels, int64_t out_channels, int64_t kernel_size,
                Activation activation);

  torch::Tensor forward(const torch::Tensor& x);

  /** Initialised by the owner. */
  torch::Tensor& weight() { return conv_->weight; }

 private:
  torch::nn::Conv2d conv_;
  Activation activation_;
};
TORCH_MODULE(ConvBlock);

}  // namespace cellroute::model
