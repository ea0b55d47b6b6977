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
  /** Of hits, false alarms and misses. */
  double iou;
  /** Detections per image and class that COCO's metrics look at. */
  uint64_t max_dets;
  /** Bootstrap samples; 0 asks for no intervals. */
  uint32_t samples;
  uint64_t seed;
  /** Share of the samples within the intervals, 0 to 1. */
  double confidence;
  uint64_t threads;
};

struct GroupScores {
  Summary summary;
  /** Where samples were asked for. */
  std::optional<Interval> interval;
};

struct Evaluation {
  std::vector<SegmentScores> images;
  /** Panoptic quality of each image by itself. */
  std::vector<double> image_pq;
  /** All images, then each of the groups asked for. */
  std::vector<GroupScores> groups;
  std::vector<ClassScores> classes;
};

/** Called now and then, from any thread but never from two at once, with the part done; stops the
 *  work by throwing. */
using Progress = std::function<void(double fraction)>;

/** Judges all images. `groups` are sets of images that are summarised by themselves. */
Evaluation evaluate(std::span<const Image> images, std::span<const std::vector<uint32_t>> groups,
                    const Options& options, const Progress& progress);

}  // namespace cellroute::metrics
