#include "model/roi_heads.h"

#include <algorithm>

#include "error.h"
#include "model/multi_scale_roi_align.h"
#include "ops/boxes.h"
#include "ops/nms.h"

namespace cellroute::model {
namespace {

// RoIs that go through a head at once without gradients: bounds the heads' memory however many
// cells there are, and lets a cancelled job stop between two chunks.
constexpr int64_t kBoxChunk = 1024;
constexpr int64_t kMaskChunk = 64;

std::array<double, 4> coder_weights(const BoxHeadConfig& config) {
  if (config.regression_weights.size() != 4) {
    throw Error("INVALID_CONFIG", "A box has four regression weights");
  }
  return {config.regression_weights[0], config.regression_weights[1], config.regression_weights[2],
          config.regression_weights[3]};
}

template <typename Visit>
void for_each_chunk(const torch::Tensor& rows, int64_t size, Visit visit) {
  for (int64_t begin = 0; begin < rows.size(0); begin += size) {
    visit(begin, rows.narrow(0, begin, std::min(size, rows.size(0) - begin)));
  }
}

std::vector<int64_t> counts_of(const std::vector<torch::Tensor>& lists) {
  std::vector<int64_t> counts;
  for (const auto& list : lists) counts.push_back(list.size(0));
  return counts;
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
  return multi_scale_roi_align(levels, rois, pictures, box_.output_size, box_.sampling_ratio);
}

torch::Tensor RoiHeadsImpl::pool_masks(const std::vector<torch::Tensor>& levels,
                                       const torch::Tensor& rois,
                                       const std::vector<ImageSize>& pictures) const {
  return multi_scale_roi_align(levels, rois, pictures, mask_.output_size, mask_.sampling_ratio);
}

BoxPredictions RoiHeadsImpl::predict_boxes(const torch::Tensor& pooled) {
  auto [class_logits, box_regression] = box_predictor_->forward(box_head_(pooled));
  return {std::move(class_logits), std::move(box_regression)};
}

torch::Tensor RoiHeadsImpl::predict_masks(const torch::Tensor& pooled) {
  return mask_predictor_(mask_head_->is_empty() ? pooled : mask_head_->forward(pooled));
}

std::vector<BoxDetections> RoiHeadsImpl::detect_boxes(const std::vector<torch::Tensor>& levels,
                                                      const std::vector<torch::Tensor>& proposals,
                                                      const std::vector<ImageSize>& pictures,
                                                      const BoxDetectionOptions& options) {
  const torch::NoGradGuard no_grad;
  const auto rois = to_rois(proposals);
  const auto classes = box_predictor_->num_classes();
  const BoxPredictions all{torch::empty({rois.size(0), classes}, rois.options()),
                           torch::empty({rois.size(0), classes * 4}, rois.options())};
  for_each_chunk(rois, kBoxChunk, [&](int64_t begin, const torch::Tensor& chunk) {
    const auto some = predict_boxes(pool_boxes(levels, chunk, pictures));
    all.class_logits.narrow(0, begin, chunk.size(0)).copy_(some.class_logits);
    all.box_regression.narrow(0, begin, chunk.size(0)).copy_(some.box_regression);
  });

  std::vector<BoxDetections> detections;
  int64_t begin = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    const int64_t count = proposals[i].size(0);
    detections.push_back(postprocess_detections(
        {all.class_logits.narrow(0, begin, count), all.box_regression.narrow(0, begin, count)},
        proposals[i], pictures[i], box_coder_, options));
    begin += count;
  }
  return detections;
}

std::vector<torch::Tensor> RoiHeadsImpl::detect_masks(const std::vector<torch::Tensor>& levels,
                                                      const std::vector<BoxDetections>& detections,
                                                      const std::vector<ImageSize>& pictures,
                                                      const Poll& poll, const char* stage,
                                                      double begin, double end) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> boxes, labels;
  for (const auto& found : detections) {
    boxes.push_back(found.boxes);
    labels.push_back(found.labels);
  }
  const auto rois = to_rois(boxes);
  const auto all_labels = torch::cat(labels);
  const int64_t side = mask_.output_size * 2;
  const auto probabilities = torch::empty({rois.size(0), side, side}, rois.options());
  for_each_chunk(rois, kMaskChunk, [&](int64_t first, const torch::Tensor& chunk) {
    const int64_t count = chunk.size(0);
    poll(stage,
         begin + (end - begin) * static_cast<double>(first) / static_cast<double>(rois.size(0)));
    const auto logits = predict_masks(pool_masks(levels, chunk, pictures));
    const auto index =
        all_labels.narrow(0, first, count).view({-1, 1, 1, 1}).expand({count, 1, side, side});
    probabilities.narrow(0, first, count).copy_(logits.gather(1, index).squeeze(1).sigmoid_());
  });
  return probabilities.split_with_sizes(counts_of(boxes));
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
