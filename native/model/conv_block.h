#pragma once

#include <torch/torch.h>

namespace cellroute::model {

enum class Activation { kNone, kRelu };

/** A convolution that keeps the map's size, with a bias that starts at 0, and what follows it:
 *  torchvision's Conv2dNormActivation without a norm. Keys: 0. */
class ConvBlockImpl : public torch::nn::Module {
 public:
  ConvBlockImpl(int64_t in_channels, int64_t out_channels, int64_t kernel_size,
                Activation activation);

  torch::Tensor forward(const torch::Tensor& x);

  /** For the owner to initialise. */
  torch::Tensor& weight() { return conv_->weight; }

 private:
  torch::nn::Conv2d conv_;
  Activation activation_;
};
TORCH_MODULE(ConvBlock);

}  // namespace cellroute::model
