#include "model/roi_heads.h"

#include <algorithm>

#include "error.h"
#include "model/multi_scale_roi_align.h"
#include "ops/boxes.h"
#include "ops/nms.h"

namespace cellroute::model {
namespace {

std::array<double, 4> coder_weights(const BoxHeadConfig& config) {
  if (config.regression_weights.size() != 4) {
    throw Error("INVALID_CONFIG", "A box has four regression weights");
  }
  return {config.regression_weights[0], config.regression_weights[1], config.regression_weights[2],
          config.regression_weights[3]};
}

}  // namespace

RoiHeadsImpl::RoiHeadsImpl(const MaskRcnnConfig& config)
    : box_(config.box),
      mask_(config.mask),
      box_coder_(coder_weights(config.box)),
      box_head_(register_module(
          "box_head",
          TwoMlpHead(config.fpn_channels * config.box.output_size * config.box.output_size,
                     config.box.hidden))),
      box_predictor_(register_module("box_predictor",
                                     FastRcnnPredictor(config.box.hidden, config.num_classes))),
      mask_head_(
          register_module("mask_head", make_mask_head(config.fpn_channels, config.mask.channels))),
      mask_predictor_(register_module(
          "mask_predictor",
          MaskRcnnPredictor(
              config.mask.channels.empty() ? config.fpn_channels : config.mask.channels.back(),
              config.mask.hidden, config.num_classes))) {}

torch::Tensor RoiHeadsImpl::pool_boxes(const std::vector<torch::Tensor>& levels,
                                       const torch::Tensor& rois,
                                       const std::vector<ImageSize>& pictures) const {
  return multi_scale_roi_align_channels_last(levels, rois, pictures, box_.output_size,
                                             box_.sampling_ratio);
}

torch::Tensor RoiHeadsImpl::pool_masks(const std::vector<torch::Tensor>& levels,
                                       const torch::Tensor& rois,
                                       const std::vector<ImageSize>& pictures) const {
  return multi_scale_roi_align_channels_last(levels, rois, pictures, mask_.output_size,
                                             mask_.sampling_ratio);
}

BoxPredictions RoiHeadsImpl::predict_boxes(const torch::Tensor& pooled) {
  auto [class_logits, box_regression] = box_predictor_->forward(box_head_(pooled));
  return {std::move(class_logits), std::move(box_regression)};
}

torch::Tensor RoiHeadsImpl::predict_masks(const torch::Tensor& pooled) {
  return mask_predictor_(mask_head_->is_empty() ? pooled : mask_head_->forward(pooled));
}

torch::Tensor mask_probabilities(const torch::Tensor& logits, const torch::Tensor& labels) {
  const auto index = labels.view({-1, 1, 1, 1}).expand({-1, 1, logits.size(2), logits.size(3)});
  return logits.gather(1, index).squeeze(1).sigmoid_();
}

BoxDetections postprocess_detections(const BoxPredictions& predictions,
                                     const torch::Tensor& proposals, ImageSize picture,
                                     const BoxCoder& coder, const BoxDetectionOptions& options) {
  constexpr double kMinSize = 1e-2;
  const int64_t foreground = predictions.class_logits.size(1) - 1;
  // Every class of a proposal stands for itself from here on: rows run over proposals, then
  // classes.
  auto boxes = ops::clip_boxes_to_image(
      coder.decode(predictions.box_regression, proposals).narrow(1, 1, foreground).reshape({-1, 4}),
      picture.height, picture.width);
  auto scores = torch::softmax(predictions.class_logits, -1).narrow(1, 1, foreground).reshape({-1});
  auto labels = torch::arange(1, foreground + 1, scores.options().dtype(torch::kInt64))
                    .expand({proposals.size(0), -1})
                    .reshape({-1});
  const auto keep = [&](const torch::Tensor& index) {
    boxes = boxes.index_select(0, index);
    scores = scores.index_select(0, index);
    labels = labels.index_select(0, index);
  };
  keep((scores > options.score_threshold).nonzero().squeeze(1));
  keep(ops::remove_small_boxes(boxes, kMinSize));
  const auto order = ops::batched_nms(boxes, scores, labels, options.nms_threshold);
  const int64_t count = std::min(options.detections_per_image, order.size(0));
  keep(order.narrow(0, 0, count));
  return {boxes, scores, labels, order.size(0) > count};
}

}  // namespace cellroute::model
