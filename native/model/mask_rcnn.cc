#include "model/mask_rcnn.h"

#include "error.h"

namespace cellroute::model {
namespace {

MaskRcnnConfig checked(const MaskRcnnConfig& config) {
  const size_t levels = config.returned_layers.size() + (config.extra_level ? 1 : 0);
  if (config.rpn.anchors.sizes.size() != levels) {
    throw Error("INVALID_CONFIG", "The pyramid has " + std::to_string(levels) +
                                      " levels and anchors are given for " +
                                      std::to_string(config.rpn.anchors.sizes.size()));
  }
  if (config.num_classes < 2) {
    throw Error("INVALID_CONFIG", "The number of classes counts the background: at least 2");
  }
  return config;
}

class Modules final : public MaskRcnnLayers {
 public:
  explicit Modules(MaskRcnnImpl& network) : network_(network) {}

  std::vector<torch::Tensor> pyramid(const torch::Tensor& images,
                                     const Progress& progress) override {
    return network_.backbone()->forward(images, progress);
  }

  RpnPredictions propose(const std::vector<torch::Tensor>& levels) override {
    return network_.rpn()->head()(levels);
  }

  BoxPredictions predict_boxes(const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                               const std::vector<ImageSize>& images) override {
    auto& heads = network_.roi_heads();
    return heads->predict_boxes(heads->pool_boxes(levels, rois, images));
  }

  torch::Tensor predict_masks(const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                              const torch::Tensor& labels,
                              const std::vector<ImageSize>& images) override {
    auto& heads = network_.roi_heads();
    return mask_probabilities(heads->predict_masks(heads->pool_masks(levels, rois, images)),
                              labels);
  }

 private:
  MaskRcnnImpl& network_;
};

}  // namespace

MaskRcnnImpl::MaskRcnnImpl(const MaskRcnnConfig& config)
    : config_(checked(config)),
      transform_(config),
      backbone_(register_module("backbone", BackboneWithFpn(config))),
      rpn_(register_module("rpn", RegionProposalNetwork(config.rpn, config.fpn_channels))),
      roi_heads_(register_module("roi_heads", RoiHeads(config))) {}

std::vector<torch::Tensor> MaskRcnnImpl::roi_levels(
    const std::vector<torch::Tensor>& levels) const {
  return model::roi_levels(config_, levels);
}

std::vector<Detections> MaskRcnnImpl::detect(const std::vector<torch::Tensor>& images,
                                             const DetectOptions& options, const JobContext& poll) {
  TORCH_CHECK(!is_training(), "detect needs a network in evaluation mode");
  Modules modules(*this);
  return model::detect(detection_context(), modules, images, options, poll);
}

}  // namespace cellroute::model
