#include "model/box_head.h"

#include "model/skip_init.h"
#include "ops/linear.h"

namespace cellroute::model {

TwoMlpHeadImpl::TwoMlpHeadImpl(int64_t in_features, int64_t hidden)
    : fc6_(register_module("fc6", make_linear({in_features, hidden}))),
      fc7_(register_module("fc7", make_linear({hidden, hidden}))) {}

torch::Tensor TwoMlpHeadImpl::forward(const torch::Tensor& pooled) {
  const auto hidden = ops::linear(pooled.flatten(1), fc6_->weight, fc6_->bias).relu_();
  return fc7_(hidden).relu_();
}

FastRcnnPredictorImpl::FastRcnnPredictorImpl(int64_t in_features, int64_t num_classes)
    : cls_score_(register_module("cls_score", make_linear({in_features, num_classes}))),
      bbox_pred_(register_module("bbox_pred", make_linear({in_features, num_classes * 4}))) {}

std::pair<torch::Tensor, torch::Tensor> FastRcnnPredictorImpl::forward(
    const torch::Tensor& features) {
  return {cls_score_(features), bbox_pred_(features)};
}

}  // namespace cellroute::model
