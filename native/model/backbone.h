#pragma once

#include <vector>

#include "model/config.h"
#include "model/fpn.h"
#include "model/resnet.h"
#include "nn.h"

namespace cellroute::model {

/** A ResNet and a feature pyramid over the selected layers: torchvision's BackboneWithFPN. Keys:
 *  body, fpn. */
class BackboneWithFpnImpl : public torch::nn::Module {
 public:
  explicit BackboneWithFpnImpl(const MaskRcnnConfig& config);

  /** Maps [N, 3, H, W] to [N, fpn_channels, Hi, Wi], finest first; the extra level comes last. */
  std::vector<torch::Tensor> forward(const torch::Tensor& images, const Progress& progress = {});

  ResNet& body() { return body_; }

 private:
  std::vector<int64_t> returned_layers_;
  ResNet body_;
  FeaturePyramidNetwork fpn_;
};
TORCH_MODULE(BackboneWithFpn);

}  // namespace cellroute::model
