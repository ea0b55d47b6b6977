#pragma once

#include <vector>

#include "nn.h"

namespace cellroute::model {

/** 3x3 convolutions with ReLU over pooled RoIs: [K, C, M, M] to [K, channels.back(), M, M].
 *  Keys: i.0. */
torch::nn::Sequential make_mask_head(int64_t in_channels, const std::vector<int64_t>& channels);

/** Doubles the size with a transposed convolution, then predicts one logit per pixel and class.
 *  Keys: conv5_mask, mask_fcn_logits. */
class MaskRcnnPredictorImpl : public torch::nn::Module {
 public:
  MaskRcnnPredictorImpl(int64_t in_channels, int64_t hidden, int64_t num_classes);

  /** Maps [K, in_channels, M, M] to [K, num_classes, 2 M, 2 M]. */
  torch::Tensor forward(const torch::Tensor& features);

 private:
  torch::nn::ConvTranspose2d conv5_mask_;
  torch::nn::Conv2d mask_fcn_logits_;
};
TORCH_MODULE(MaskRcnnPredictor);

}  // namespace cellroute::model
