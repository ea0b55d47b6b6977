#pragma once

#include <utility>

#include "nn.h"

namespace cellroute::model {

/** Two fully connected layers over pooled RoIs. Keys: fc6, fc7. */
class TwoMlpHeadImpl : public torch::nn::Module {
 public:
  TwoMlpHeadImpl(int64_t in_features, int64_t hidden);

  /** Maps [K, C, S, S] with C S S = in_features to [K, hidden]. */
  torch::Tensor forward(const torch::Tensor& pooled);

 private:
  torch::nn::Linear fc6_, fc7_;
};
TORCH_MODULE(TwoMlpHead);

/** Class logits [K, classes] and box offsets for every class [K, 4 classes]. Keys: cls_score,
 *  bbox_pred. */
class FastRcnnPredictorImpl : public torch::nn::Module {
 public:
  FastRcnnPredictorImpl(int64_t in_features, int64_t num_classes);

  std::pair<torch::Tensor, torch::Tensor> forward(const torch::Tensor& features);

  int64_t num_classes() const { return cls_score_->options.out_features(); }

 private:
  torch::nn::Linear cls_score_, bbox_pred_;
};
TORCH_MODULE(FastRcnnPredictor);

}  // namespace cellroute::model
