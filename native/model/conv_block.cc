#include "model/conv_block.h"

#include "model/convolution.h"
#include "model/skip_init.h"

namespace cellroute::model {

ConvBlockImpl::ConvBlockImpl(int64_t in_channels, int64_t out_channels, int64_t kernel_size,
                             Activation activation)
    : conv_(register_module(
          "0", make_conv2d(torch::nn::Conv2dOptions(in_channels, out_channels, kernel_size)
                               .padding(kernel_size / 2)))),
      activation_(activation) {
  torch::nn::init::zeros_(conv_->bias);
}

torch::Tensor ConvBlockImpl::forward(const torch::Tensor& x) {
  return activation_ == Activation::kRelu
             ? convolve_and_rectify(*conv_, x, conv_->weight, conv_->bias)
             : convolve(*conv_, x, conv_->weight, conv_->bias);
}

}  // namespace cellroute::model
