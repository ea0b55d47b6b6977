#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "metrics/coco.h"
#include "metrics/segments.h"

namespace cellroute::metrics {

/** The names of a summary's numbers, as in lib/native/contract.ts (NativeMetric). */
inline constexpr auto kMetricNames = std::to_array<std::string_view>({
    "kaggle",
    "precision50",
    "precision55",
    "precision60",
    "precision65",
    "precision70",
    "precision75",
    "precision80",
    "precision85",
    "precision90",
    "precision95",
    "segmAp",
    "segmApSmall",
    "segmApMedium",
    "segmApLarge",
    "segmAp50",
    "segmAp75",
    "segmAr",
    "segmArSmall",
    "segmArMedium",
    "segmArLarge",
    "bboxAp",
    "bboxApSmall",
    "bboxApMedium",
    "bboxApLarge",
    "bboxAp50",
    "bboxAp75",
    "bboxAr",
    "bboxArSmall",
    "bboxArMedium",
    "bboxArLarge",
    "truePositives",
    "falsePositives",
    "falseNegatives",
    "precision",
    "recall",
    "f1",
    "pq",
    "sq",
    "rq",
    "aji",
    "countBias",
    "countAbsolute",
    "countRelative",
});
inline constexpr size_t kMetrics = kMetricNames.size();
using Summary = std::array<double, kMetrics>;

/** The comparisons of all images. */
struct Comparison {
  std::vector<SegmentScores> images;
  CocoTable segm;
  CocoTable bbox;
};

/** The metrics over the images, each weighted; NaN if a metric is undefined. Without `sizes`,
 *  COCO's columns by object size are NaN. */
Summary summarise(const Comparison& comparison, std::span<const uint32_t> weights, bool sizes);

/** Panoptic quality of one image, averaged over its classes. */
double panoptic_quality(const SegmentScores& image);

struct ClassScores {
  int32_t label;
  /** Number of ground-truth cells without crowds. */
  uint64_t ground_truths;
  /** COCO's metrics and the panoptic quality of this class; the others are NaN. */
  Summary summary;
};

/** The classes that occur in the ground truth or the predictions, by increasing label. */
std::vector<ClassScores> summarise_classes(const Comparison& comparison);

}  // namespace cellroute::metrics
