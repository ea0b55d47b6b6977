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

/** The numbers of a summary by name, as lib/native/contract.ts has them (NativeMetric). */
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
    "hits",
    "falseAlarms",
    "misses",
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

/** All images, compared. */
struct Comparison {
  std::vector<SegmentScores> images;
  CocoTable segm;
  CocoTable bbox;
};

/** The metrics over the images, each as often as its weight says; NaN where one has no meaning.
 *  Without `sizes` COCO's columns by size are NaN. */
Summary summarise(const Comparison& comparison, std::span<const uint32_t> weights, bool sizes);

/** Of one image by itself, the mean over its classes. */
double panoptic_quality(const SegmentScores& image);

struct ClassScores {
  int32_t label;
  /** Those that are no crowd. */
  uint64_t truths;
  /** COCO's numbers and the panoptic quality of this class alone; the rest is NaN. */
  Summary summary;
};

/** By rising label; those that are somewhere in the truth or the predictions. */
std::vector<ClassScores> summarise_classes(const Comparison& comparison);

}  // namespace cellroute::metrics
