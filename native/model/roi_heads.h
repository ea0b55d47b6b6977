#pragma once

#include <array>
#include <vector>

#include "model/box_coder.h"
#include "model/box_head.h"
#include "model/config.h"
#include "model/mask_head.h"
#include "model/transform.h"
#include "nn.h"

namespace cellroute::model {

/** The thresholds at which boxes become detections, and the largest number per image. */
struct BoxDetectionOptions {
  double score_threshold;
  double nms_threshold;
  int64_t detections_per_image;
};

/** Detections of one image before their masks, by decreasing score. */
struct BoxDetections {
  torch::Tensor boxes;   // [K, 4] in pixels of the resized image
  torch::Tensor scores;  // [K]
  torch::Tensor labels;  // [K] int64, 1..num_classes-1
  bool capped = false;   // whether detections_per_image dropped some
};

struct BoxPredictions {
  torch::Tensor class_logits;    // [K, classes]
  torch::Tensor box_regression;  // [K, 4 classes]
};

/** The second stage of Mask R-CNN: class and box of every proposal, mask of every detection.
 *  Keys: box_head, box_predictor, mask_head, mask_predictor. `levels` are always the pyramid's
 *  levels without the extra one. */
class RoiHeadsImpl : public torch::nn::Module {
 public:
  explicit RoiHeadsImpl(const MaskRcnnConfig& config);

  /** Pools RoIs [K, 5] for the heads: [K, C, S, S] for boxes, [K, C, M, M] for masks. */
  torch::Tensor pool_boxes(const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                           const std::vector<ImageSize>& images) const;
  torch::Tensor pool_masks(const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                           const std::vector<ImageSize>& images) const;

  BoxPredictions predict_boxes(const torch::Tensor& pooled);

  /** Maps [K, C, M, M] to logits [K, classes, 2 M, 2 M]. */
  torch::Tensor predict_masks(const torch::Tensor& pooled);

  const BoxCoder& box_coder() const { return box_coder_; }

 private:
  BoxHeadConfig box_;
  MaskHeadConfig mask_;
  BoxCoder box_coder_;
  TwoMlpHead box_head_;
  FastRcnnPredictor box_predictor_;
  torch::nn::Sequential mask_head_;
  MaskRcnnPredictor mask_predictor_;
};
TORCH_MODULE(RoiHeads);

/** Probabilities [K, H, W] of each RoI's label [K] from logits [K, classes, H, W]. */
torch::Tensor mask_probabilities(const torch::Tensor& logits, const torch::Tensor& labels);

/** The given rows, in that order. */
BoxDetections select(const BoxDetections& from, const torch::Tensor& rows);

/** Boxes with a shorter side than this are dropped. */
inline constexpr double kMinDetectionSize = 1e-2;

/** Class scores and boxes of proposals, one per proposal and class except the background, in the
 *  order of the proposals: softmax, decode, clip. */
BoxDetections decode_boxes(const BoxPredictions& predictions, const torch::Tensor& proposals,
                           ImageSize image, const BoxCoder& coder);

/** The same for one image's proposals, without low scores (<= score_threshold) and small boxes. */
BoxDetections score_boxes(const BoxPredictions& predictions, const torch::Tensor& proposals,
                          ImageSize image, const BoxCoder& coder, double score_threshold);

/** Rows kept by per-class NMS, by decreasing score: int64. */
torch::Tensor suppress(const BoxDetections& scored, double nms_threshold);

/** Both steps followed by the limit on detections: torchvision's
 *  RoIHeads.postprocess_detections. */
BoxDetections postprocess_detections(const BoxPredictions& predictions,
                                     const torch::Tensor& proposals, ImageSize image,
                                     const BoxCoder& coder, const BoxDetectionOptions& options);

}  // namespace cellroute::model
