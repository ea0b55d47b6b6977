#include "model/mask_head.h"

#include "model/conv_block.h"
#include "model/skip_init.h"
#include "ops/linear.h"

namespace cellroute::model {

namespace nn = torch::nn;

namespace {

void draw_kaiming(torch::Tensor& weight) {
  nn::init::kaiming_normal_(weight, 0.0, torch::kFanOut, torch::kReLU);
}

}  // namespace

nn::Sequential make_mask_head(int64_t in_channels, const std::vector<int64_t>& channels) {
  nn::Sequential head;
  int64_t in = in_channels;
  for (const int64_t out : channels) {
    ConvBlock block(in, out, 3, Activation::kRelu);
    initialize(block->weight(), draw_kaiming);
    head->push_back(block);
    in = out;
  }
  return head;
}

MaskRcnnPredictorImpl::MaskRcnnPredictorImpl(int64_t in_channels, int64_t hidden,
                                             int64_t num_classes)
    : conv5_mask_(register_module(
          "conv5_mask",
          make_conv_transpose2d(nn::ConvTranspose2dOptions(in_channels, hidden, 2).stride(2)))),
      mask_fcn_logits_(register_module("mask_fcn_logits",
                                       make_conv2d(nn::Conv2dOptions(hidden, num_classes, 1)))) {
  initialize(conv5_mask_->weight, draw_kaiming);
  initialize(mask_fcn_logits_->weight, draw_kaiming);
}

torch::Tensor MaskRcnnPredictorImpl::forward(const torch::Tensor& features) {
  // A transposed 2x2 convolution with stride 2 is one product per pixel, because its four output
  // pixels depend on no other input. They stay next to each other until only logits have to be
  // reordered.
  const int64_t count = features.size(0), in = features.size(1), side = features.size(2);
  const int64_t hidden = conv5_mask_->weight.size(1), classes = mask_fcn_logits_->weight.size(0);
  const auto pixels = features.permute({0, 2, 3, 1}).reshape({count * side * side, in});
  const auto upsampled =
      ops::linear(pixels, conv5_mask_->weight.permute({2, 3, 1, 0}).reshape({4 * hidden, in}),
                  conv5_mask_->bias.repeat({4}))
          .relu_()
          .view({count * side * side * 4, hidden});
  return ops::linear(upsampled, mask_fcn_logits_->weight.view({classes, hidden}),
                     mask_fcn_logits_->bias)
      .view({count, side, side, 2, 2, classes})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({count, classes, 2 * side, 2 * side});
}

}  // namespace cellroute::model
