#include "model/backbone.h"

#include "error.h"

namespace cellroute::model {
namespace {

std::vector<int64_t> channels_of(const MaskRcnnConfig& config) {
  std::vector<int64_t> channels;
  int64_t previous = 0;
  for (const int64_t layer : config.returned_layers) {
    if (layer <= previous || layer > 4) {
      throw Error("INVALID_CONFIG", "Returned layers must rise and lie within 1 to 4");
    }
    channels.push_back(resnet_channels(config.backbone, layer));
    previous = layer;
  }
  if (channels.empty()) throw Error("INVALID_CONFIG", "At least one layer must be returned");
  return channels;
}

}  // namespace

BackboneWithFpnImpl::BackboneWithFpnImpl(const MaskRcnnConfig& config)
    : returned_layers_(config.returned_layers), body_(nullptr), fpn_(nullptr) {
  const auto channels = channels_of(config);
  body_ = register_module("body", ResNet(config.backbone, returned_layers_.back()));
  fpn_ = register_module("fpn",
                         FeaturePyramidNetwork(channels, config.fpn_channels, config.extra_level));
}

std::vector<torch::Tensor> BackboneWithFpnImpl::forward(const torch::Tensor& images,
                                                        const Progress& progress) {
  const auto layers = body_->layers(images, progress);
  std::vector<torch::Tensor> returned;
  for (const int64_t layer : returned_layers_) returned.push_back(layers.at(layer - 1));
  return fpn_->forward(returned);
}

}  // namespace cellroute::model
