#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "metrics/bootstrap.h"
#include "metrics/image.h"
#include "metrics/kept.h"
#include "metrics/summary.h"

namespace cellroute::metrics {

struct Options {
  KeepRule rule;
  /** IoU threshold of true positives, false positives and false negatives. */
  double iou;
  /** Highest-scoring detections per image and class that COCO's metrics use. */
  uint64_t max_dets;
  /** Number of bootstrap samples; 0 computes no intervals. */
  uint32_t samples;
  uint64_t seed;
  /** Confidence level of the intervals, 0 to 1. */
  double confidence;
  uint64_t threads;
};

struct GroupScores {
  Summary summary;
  /** Present if bootstrap samples were requested. */
  std::optional<Interval> interval;
};

struct Evaluation {
  std::vector<SegmentScores> images;
  /** Panoptic quality of each image alone. */
  std::vector<double> image_pq;
  /** All images, then each of the requested groups. */
  std::vector<GroupScores> groups;
  std::vector<ClassScores> classes;
};

/** Called from time to time with the finished fraction, from any thread but never concurrently.
 *  Throwing stops the evaluation. */
using Progress = std::function<void(double fraction)>;

/** Evaluates all images. `groups` are subsets of images that are also summarised alone. */
Evaluation evaluate(std::span<const Image> images, std::span<const std::vector<uint32_t>> groups,
                    const Options& options, const Progress& progress);

}  // namespace cellroute::metrics
