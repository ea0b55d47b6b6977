#include "model/classifier.h"

#include "error.h"
#include "model/skip_init.h"

namespace cellroute::model {
namespace {

namespace nn = torch::nn;

/** fastai's AdaptiveConcatPool2d: the maximum comes before the mean. */
torch::Tensor concat_pool(const torch::Tensor& x) {
  return torch::cat({x.amax({2, 3}), x.mean({2, 3})}, 1);
}

nn::Linear without_bias(int64_t in, int64_t out) {
  return make_linear(nn::LinearOptions(in, out).bias(false));
}

/** fastai's create_head with its default dropout. */
nn::Sequential concat_pool_head(int64_t channels, int64_t hidden, int64_t num_classes) {
  return nn::Sequential(nn::Functional(concat_pool), nn::Flatten(), nn::BatchNorm1d(2 * channels),
                        nn::Dropout(0.25), without_bias(2 * channels, hidden),
                        nn::ReLU(nn::ReLUOptions(/*inplace=*/true)), nn::BatchNorm1d(hidden),
                        nn::Dropout(0.5), without_bias(hidden, num_classes));
}

}  // namespace

ClassifierImpl::ClassifierImpl(const ClassifierConfig& config)
    : ResNetImpl(config.backbone), config_(config) {
  if (config.num_classes < 1) throw Error("INVALID_CONFIG", "A classifier needs a class");
  const int64_t channels = resnet_channels(config.backbone, 4);
  switch (config.head) {
    case ClassifierHead::kLinear:
      fc_ = register_module("fc", make_linear({channels, config.num_classes}));
      break;
    case ClassifierHead::kConcatPool:
      head_ = register_module("head",
                              concat_pool_head(channels, config.head_hidden, config.num_classes));
      break;
  }
}

torch::Tensor ClassifierImpl::forward(const torch::Tensor& images, const Progress& progress) {
  return head(layers(images, progress).back());
}

torch::Tensor ClassifierImpl::head(const torch::Tensor& features) {
  return head_ ? head_->forward(features) : fc_(features.mean({2, 3}));
}

}  // namespace cellroute::model
