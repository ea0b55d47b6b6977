#pragma once

#include <cstdint>
#include <vector>

#include "infer/mask_rcnn_plan.h"
#include "io/pixels.h"
#include "mask/rle.h"

namespace cellroute::infer {

/** The candidates of one pass of the network before thresholds are applied, by decreasing score. */
struct Candidates {
  std::vector<float> boxes;  // [4 n], x1 y1 x2 y2 in pixels of the original image
  std::vector<float> scores;
  std::vector<int32_t> labels;
  std::vector<float> probabilities;  // [n, side, side], for the label's class
  int64_t side = 0;
  // [n, NMS thresholds]: whether segment() with it keeps this candidate
  std::vector<uint8_t> kept_by;
  double dropped_score = 0;  // highest score that detections_per_image dropped; 0 for nothing
  bool proposals_capped = false;
};

Candidates find_candidates(MaskRcnnPlan& plan, const io::Image& image,
                           const io::Intensity& intensity, const model::DetectOptions& options,
                           const std::vector<double>& nms_thresholds, const JobContext& poll);

/** Masks of candidates as segment() cuts them: boxes [4 n], probabilities [n, side, side]. */
std::vector<mask::Rle> cut_masks(const std::vector<float>& boxes,
                                 const std::vector<float>& probabilities, int64_t side,
                                 int64_t height, int64_t width, double threshold);

}  // namespace cellroute::infer
