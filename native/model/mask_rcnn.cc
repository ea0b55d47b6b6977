#include "model/mask_rcnn.h"

#include "error.h"

namespace cellroute::model {
namespace {

// Where the stages of a picture begin, as shares of the whole: about what they cost for a
// ResNet50-FPN and some hundred cells.
constexpr double kBackboneBegins = 0.01;
constexpr double kPyramidBegins = 0.25;
constexpr double kProposalsBegin = 0.3;
constexpr double kBoxesBegin = 0.42;
constexpr double kMasksBegin = 0.5;
constexpr double kMasksEnd = 0.9;

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

}  // namespace

DetectOptions DetectOptions::of(const MaskRcnnConfig& config) {
  return {config.box.score_threshold, config.box.nms_threshold,  config.box.detections_per_image,
          config.rpn.pre_nms_top_n,   config.rpn.post_nms_top_n, config.rpn.nms_threshold,
          config.rpn.score_threshold};
}

MaskRcnnImpl::MaskRcnnImpl(const MaskRcnnConfig& config)
    : config_(checked(config)),
      transform_(config),
      backbone_(register_module("backbone", BackboneWithFpn(config))),
      rpn_(register_module("rpn", RegionProposalNetwork(config.rpn, config.fpn_channels))),
      roi_heads_(register_module("roi_heads", RoiHeads(config))) {}

std::vector<torch::Tensor> MaskRcnnImpl::roi_levels(
    const std::vector<torch::Tensor>& levels) const {
  const auto count = static_cast<std::ptrdiff_t>(config_.returned_layers.size());
  return {levels.begin(), levels.begin() + count};
}

std::vector<Detections> MaskRcnnImpl::detect(const std::vector<torch::Tensor>& pictures,
                                             const DetectOptions& options, const Poll& poll) {
  TORCH_CHECK(!is_training(), "detect needs a network in evaluation mode");
  const torch::NoGradGuard no_grad;

  poll("transform", 0);
  const auto batch = transform_(pictures);
  poll("backbone", kBackboneBegins);
  auto levels = backbone_->forward(batch.tensors, [&poll](double done) {
    poll("backbone", kBackboneBegins + done * (kPyramidBegins - kBackboneBegins));
  });
  poll("proposals", kProposalsBegin);
  const auto proposals = rpn_->filter_proposals(
      rpn_->head()(levels), batch,
      {options.rpn_pre_nms_top_n, options.rpn_post_nms_top_n, options.rpn_nms_threshold,
       options.rpn_score_threshold, config_.rpn.min_size});

  poll("boxes", kBoxesBegin);
  levels = roi_levels(levels);
  std::vector<torch::Tensor> proposal_boxes;
  for (const auto& proposal : proposals) proposal_boxes.push_back(proposal.boxes);
  const auto found = roi_heads_->detect_boxes(
      levels, proposal_boxes, batch.sizes,
      {options.score_threshold, options.nms_threshold, options.detections_per_image});
  const auto masks =
      roi_heads_->detect_masks(levels, found, batch.sizes, poll, "masks", kMasksBegin, kMasksEnd);

  std::vector<Detections> detections;
  for (size_t i = 0; i < pictures.size(); ++i) {
    const ImageSize size{pictures[i].size(1), pictures[i].size(2)};
    detections.push_back({resize_boxes(found[i].boxes, batch.sizes[i], size), found[i].scores,
                          found[i].labels, masks[i], found[i].capped, proposals[i].capped});
  }
  return detections;
}

}  // namespace cellroute::model
