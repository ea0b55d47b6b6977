#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "metrics/kept.h"
#include "metrics/thresholds.h"

namespace cellroute::metrics {

struct PanopticClass {
  int32_t label;
  uint32_t true_positives = 0;
  uint32_t false_positives = 0;
  uint32_t false_negatives = 0;
  double iou_sum = 0;
};

/** The metrics without scores for one image. Crowds are not ground truth; a prediction that
 *  matches nothing and has more than half of its pixels in one crowd is ignored. If there is no
 *  ground truth and no prediction, a ratio is 1. */
struct SegmentScores {
  uint32_t ground_truths = 0;
  /** Number of predictions that are not ignored, at the IoU of true positives. */
  uint32_t predictions = 0;
  /** The competition's precision TP / (TP + FP + FN) above each threshold. TP are predictions
   *  with some ground truth above it, FN ground-truth cells without a prediction above it. */
  std::array<double, kThresholds> precision{};
  double kaggle = 0;
  /** Matched one to one, at an IoU of at least this threshold. */
  uint32_t true_positives = 0;
  uint32_t false_positives = 0;
  uint32_t false_negatives = 0;
  /** Matched one to one above an IoU of 0.5 within each class, by increasing label. */
  std::vector<PanopticClass> panoptic;
  /** Kumar's aggregated Jaccard index: each ground-truth cell takes the prediction with the
   *  highest IoU, which several cells may share. Predictions that no cell takes are added to the
   *  union. */
  double aji = 0;
};

struct SegmentGroundTruth {
  std::span<const uint32_t> areas;
  std::span<const int32_t> labels;
  std::span<const uint8_t> crowd;  // empty if there are no crowds
};

/** `labels` belong to all predictions, before `kept` was selected. */
SegmentScores score_segments(const Kept& kept, std::span<const int32_t> labels,
                             const SegmentGroundTruth& ground_truth, double iou);

}  // namespace cellroute::metrics
