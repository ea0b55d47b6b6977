#pragma once

#include <torch/torch.h>

#include <array>
#include <vector>

#include "model/box_coder.h"
#include "model/box_head.h"
#include "model/config.h"
#include "model/mask_head.h"
#include "model/transform.h"

namespace cellroute::model {

/** At which thresholds boxes become detections, and how many an image may have. */
struct BoxDetectionOptions {
  double score_threshold;
  double nms_threshold;
  int64_t detections_per_image;
};

/** Detections of one image before their masks, by falling score. */
struct BoxDetections {
  torch::Tensor boxes;   // [K, 4] in pixels of the resized image
  torch::Tensor scores;  // [K]
  torch::Tensor labels;  // [K] int64, 1..num_classes-1
  bool capped = false;   // detections_per_image dropped some
};

struct BoxPredictions {
  torch::Tensor class_logits;    // [K, classes]
  torch::Tensor box_regression;  // [K, 4 classes]
};

/** The second stage of Mask R-CNN: class and box of every proposal, mask of every detection.
 *  Keys: box_head, box_predictor, mask_head, mask_predictor. `levels` are the pyramid's without its
 *  extra level, throughout. */
class RoiHeadsImpl : public torch::nn::Module {
 public:
  explicit RoiHeadsImpl(const MaskRcnnConfig& config);

  /** RoIs [K, 5] give what the heads read: [K, C, S, S] for boxes, [K, C, M, M] for masks. */
  torch::Tensor pool_boxes(const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                           const std::vector<ImageSize>& images) const;
  torch::Tensor pool_masks(const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                           const std::vector<ImageSize>& images) const;

  BoxPredictions predict_boxes(const torch::Tensor& pooled);

  /** [K, C, M, M] gives logits [K, classes, 2 M, 2 M]. */
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

/** Logits [K, classes, H, W] give the probabilities of each one's label [K]: [K, H, W]. */
torch::Tensor mask_probabilities(const torch::Tensor& logits, const torch::Tensor& labels);

/** Those rows, in that order. */
BoxDetections select(const BoxDetections& from, const torch::Tensor& rows);

/** Boxes with a side below this are no detections. */
inline constexpr double kMinDetectionSize = 1e-2;

/** Class scores and boxes of proposals, every class of a proposal but the background for itself, in
 *  the order of the proposals: softmax, decode, clip. */
BoxDetections decode_boxes(const BoxPredictions& predictions, const torch::Tensor& proposals,
                           ImageSize image, const BoxCoder& coder);

/** The same of one image's proposals without low scores (<= score_threshold) and small boxes. */
BoxDetections score_boxes(const BoxPredictions& predictions, const torch::Tensor& proposals,
                          ImageSize image, const BoxCoder& coder, double score_threshold);

/** Rows that NMS within each class keeps, by falling score: int64. */
torch::Tensor suppress(const BoxDetections& scored, double nms_threshold);

/** Both, and then the best: torchvision's RoIHeads.postprocess_detections. */
BoxDetections postprocess_detections(const BoxPredictions& predictions,
                                     const torch::Tensor& proposals, ImageSize image,
                                     const BoxCoder& coder, const BoxDetectionOptions& options);

}  // namespace cellroute::model
