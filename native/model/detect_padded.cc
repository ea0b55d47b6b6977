#include "model/detect_padded.h"

#include <algorithm>

#include "engine/profile.h"
#include "ops/boxes.h"
#include "ops/nms.h"

namespace cellroute::model {
namespace {

torch::Tensor has_min_size(const torch::Tensor& boxes, double min_size) {
  return ops::has_min_size(boxes.flatten(0, 1), min_size).view({boxes.size(0), boxes.size(1)});
}

PaddedProposals propose(const DetectionContext& context, const RpnPredictions& predictions,
                        const std::vector<torch::Tensor>& anchors, ImageSize image,
                        const DetectOptions& options) {
  const StageScope stage("filter_proposals");
  const std::vector<ImageSize> sizes(predictions.objectness.front().size(0), image);
  return context.rpn.filter_proposals_padded(
      predictions, anchors, sizes,
      {options.rpn_pre_nms_top_n, options.rpn_post_nms_top_n, options.rpn_nms_threshold,
       options.rpn_score_threshold, context.config.rpn.min_size});
}

/** Converts boxes [N, P, 4] to RoIs [N P, 5]. */
torch::Tensor rois_of(const torch::Tensor& boxes) {
  const auto image = torch::arange(boxes.size(0), boxes.options())
                         .view({-1, 1, 1})
                         .expand({-1, boxes.size(1), -1});
  return torch::cat({image, boxes}, 2).flatten(0, 1);
}

}  // namespace

PaddedDetections detect_padded(const DetectionContext& context, MaskRcnnLayers& parts,
                               const std::vector<torch::Tensor>& levels,
                               const RpnPredictions& predictions,
                               const std::vector<torch::Tensor>& anchors, ImageSize image,
                               const DetectOptions& options) {
  const torch::NoGradGuard no_grad;
  const auto proposals = propose(context, predictions, anchors, image, options);
  const int64_t images = proposals.boxes.size(0), count = proposals.boxes.size(1);
  const std::vector<ImageSize> sizes(images, image);
  const auto scored = predict_boxes(context, parts, roi_levels(context.config, levels),
                                    rois_of(proposals.boxes), sizes);

  const StageScope stage("postprocess_detections");
  const auto every = decode_boxes(scored, proposals.boxes.flatten(0, 1), image, context.box_coder);
  const int64_t classes = every.scores.size(0) / (images * count);
  const auto boxes = every.boxes.view({images, -1, 4});
  const auto scores = every.scores.view({images, -1});
  const auto labels = every.labels.view({images, -1});
  // Rows after an image's proposals repeat one of them.
  const auto proposal = torch::arange(count, labels.options()).repeat_interleave(classes);
  const auto valid = (scores > options.score_threshold)
                         .logical_and(has_min_size(boxes, kMinDetectionSize))
                         .logical_and(proposal < proposals.kept.count.unsqueeze(1));
  const int64_t limit = std::min(options.detections_per_image, scores.size(1));
  const auto kept = ops::nms_padded(boxes, scores, labels, valid, options.nms_threshold, limit);
  return {
      ops::padded_rows(boxes, kept.index), ops::padded_rows(scores, kept.index),
      ops::padded_rows(labels, kept.index),
      torch::stack(
          {kept.count, kept.capped.to(torch::kInt64), proposals.kept.capped.to(torch::kInt64)}, 1)};
}

}  // namespace cellroute::model
