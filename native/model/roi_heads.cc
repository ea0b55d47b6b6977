#include "model/roi_heads.h"

#include <algorithm>

#include "engine/profile.h"
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
                                       const std::vector<ImageSize>& images) const {
  return multi_scale_roi_align_channels_last(levels, rois, images, box_.output_size,
                                             box_.sampling_ratio);
}

torch::Tensor RoiHeadsImpl::pool_masks(const std::vector<torch::Tensor>& levels,
                                       const torch::Tensor& rois,
                                       const std::vector<ImageSize>& images) const {
  return multi_scale_roi_align_channels_last(levels, rois, images, mask_.output_size,
                                             mask_.sampling_ratio);
}

BoxPredictions RoiHeadsImpl::predict_boxes(const torch::Tensor& pooled) {
  auto [class_logits, box_regression] = box_predictor_->forward(box_head_(pooled));
  return {std::move(class_logits), std::move(box_regression)};
}

torch::Tensor RoiHeadsImpl::predict_masks(const torch::Tensor& pooled) {
  return mask_predictor_(mask_head_->is_empty() ? pooled : mask_head_->forward(pooled));
}

BoxDetections select(const BoxDetections& from, const torch::Tensor& rows) {
  return {from.boxes.index_select(0, rows), from.scores.index_select(0, rows),
          from.labels.index_select(0, rows)};
}

torch::Tensor mask_probabilities(const torch::Tensor& logits, const torch::Tensor& labels) {
  const auto index = labels.view({-1, 1, 1, 1}).expand({-1, 1, logits.size(2), logits.size(3)});
  return logits.gather(1, index).squeeze(1).sigmoid_();
}

BoxDetections decode_boxes(const BoxPredictions& predictions, const torch::Tensor& proposals,
                           ImageSize image, const BoxCoder& coder) {
  const int64_t foreground = predictions.class_logits.size(1) - 1;
  // Rows are ordered by proposal, then class.
  const auto boxes = ops::clip_boxes_to_image(
      coder.decode(predictions.box_regression, proposals).narrow(1, 1, foreground).reshape({-1, 4}),
      image.height, image.width);
  const auto scores =
      torch::softmax(predictions.class_logits, -1).narrow(1, 1, foreground).reshape({-1});
  const auto labels = torch::arange(1, foreground + 1, scores.options().dtype(torch::kInt64))
                          .expand({proposals.size(0), -1})
                          .reshape({-1});
  return {boxes, scores, labels};
}

BoxDetections score_boxes(const BoxPredictions& predictions, const torch::Tensor& proposals,
                          ImageSize image, const BoxCoder& coder, double score_threshold) {
  const auto every = decode_boxes(predictions, proposals, image, coder);
  const auto sure = (every.scores > score_threshold).nonzero().squeeze(1);
  const auto large = ops::remove_small_boxes(every.boxes.index_select(0, sure), kMinDetectionSize);
  return select(every, sure.index_select(0, large));
}

torch::Tensor suppress(const BoxDetections& scored, double nms_threshold) {
  return ops::batched_nms(scored.boxes, scored.scores, scored.labels, nms_threshold);
}

BoxDetections postprocess_detections(const BoxPredictions& predictions,
                                     const torch::Tensor& proposals, ImageSize image,
                                     const BoxCoder& coder, const BoxDetectionOptions& options) {
  const StageScope stage("postprocess_detections");
  const auto scored = score_boxes(predictions, proposals, image, coder, options.score_threshold);
  const auto order = suppress(scored, options.nms_threshold);
  const int64_t count = std::min(options.detections_per_image, order.size(0));
  auto best = select(scored, order.narrow(0, 0, count));
  best.capped = order.size(0) > count;
  return best;
}

}  // namespace cellroute::model
