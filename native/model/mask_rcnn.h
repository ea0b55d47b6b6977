#pragma once

#include <torch/torch.h>

#include <vector>

#include "engine/job.h"
#include "model/config.h"

namespace cellroute::model {

/** What one call may change of a model's thresholds; the configuration's values otherwise. */
struct DetectOptions {
  double score_threshold;
  double nms_threshold;
  int64_t detections_per_image;
  int64_t rpn_pre_nms_top_n;
  int64_t rpn_post_nms_top_n;
  double rpn_nms_threshold;
  double rpn_score_threshold;

  static DetectOptions of(const MaskRcnnConfig& config);
};

/** What was found in one picture, by falling score, in pixels of the picture as it came. */
struct Detections {
  torch::Tensor boxes;               // [N, 4] float32, x1 y1 x2 y2
  torch::Tensor scores;              // [N] float32
  torch::Tensor labels;              // [N] int64, 1..num_classes-1
  torch::Tensor mask_probabilities;  // [N, M, M] float32, of the label's class
  bool detections_capped = false;    // detections_per_image dropped some
  bool proposals_capped = false;     // rpn_post_nms_top_n dropped some
};

}  // namespace cellroute::model
