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
  uint32_t hits = 0;
  uint32_t false_alarms = 0;
  uint32_t misses = 0;
  double iou_sum = 0;
};

/** What the metrics without a score find in one image. Crowds are no truth; a prediction that
 *  hits nothing and lies with more than half of its pixels in one crowd does not count. Where there
 *  is nothing to find and nothing was found, a ratio is 1. */
struct SegmentScores {
  uint32_t truths = 0;
  /** Those that count at the IoU of hits, false_alarms and misses. */
  uint32_t predictions = 0;
  /** The competition's: TP / (TP + FP + FN) above each threshold, TP being the predictions with
   *  some truth above it and FN the truths without any prediction above it. */
  std::array<double, kThresholds> precision{};
  double kaggle = 0;
  /** Paired one to one at an IoU or more. */
  uint32_t hits = 0;
  uint32_t false_alarms = 0;
  uint32_t misses = 0;
  /** Paired one to one above an IoU of 0.5 within each class, by rising label. */
  std::vector<PanopticClass> panoptic;
  /** Kumar's aggregated Jaccard index: each truth with the prediction of the highest IoU, which
   *  others may have too; what no truth chose counts into the union. */
  double aji = 0;
};

struct SegmentTruth {
  std::span<const uint32_t> areas;
  std::span<const int32_t> labels;
  std::span<const uint8_t> crowd;  // empty where there is none
};

/** `labels` are those of all predictions, before `kept` was chosen among them. */
SegmentScores score_segments(const Kept& kept, std::span<const int32_t> labels,
                             const SegmentTruth& truth, double iou);

}  // namespace cellroute::metrics
