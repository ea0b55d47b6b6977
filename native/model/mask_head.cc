#include "model/mask_head.h"

#include "model/conv_block.h"

namespace cellroute::model {

namespace nn = torch::nn;

nn::Sequential make_mask_head(int64_t in_channels, const std::vector<int64_t>& channels) {
  nn::Sequential head;
  int64_t in = in_channels;
  for (const int64_t out : channels) {
    ConvBlock block(in, out, 3, Activation::kRelu);
    nn::init::kaiming_normal_(block->weight(), 0.0, torch::kFanOut, torch::kReLU);
    head->push_back(block);
    in = out;
  }
  return head;
}

MaskRcnnPredictorImpl::MaskRcnnPredictorImpl(int64_t in_channels, int64_t hidden,
                                             int64_t num_classes)
    : conv5_mask_(register_module(
          "conv5_mask",
          nn::ConvTranspose2d(nn::ConvTranspose2dOptions(in_channels, hidden, 2).stride(2)))),
      mask_fcn_logits_(register_module("mask_fcn_logits",
                                       nn::Conv2d(nn::Conv2dOptions(hidden, num_classes, 1)))) {
  nn::init::kaiming_normal_(conv5_mask_->weight, 0.0, torch::kFanOut, torch::kReLU);
  nn::init::kaiming_normal_(mask_fcn_logits_->weight, 0.0, torch::kFanOut, torch::kReLU);
}

torch::Tensor MaskRcnnPredictorImpl::forward(const torch::Tensor& features) {
  return mask_fcn_logits_(conv5_mask_(features).relu_());
}

}  // namespace cellroute::model
