#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "metrics/pairs.h"
#include "metrics/thresholds.h"

// pycocotools' COCOeval, with the same numbers: match_coco() is evaluateImg(), CocoTable is
// accumulate() and summarize().
namespace cellroute::metrics {

/** All, small, medium and large objects. */
inline constexpr int kAreaRanges = 4;

/** What COCOeval needs of one image besides the IoUs. */
struct CocoImage {
  std::span<const int32_t> labels;
  std::span<const double> scores;
  std::span<const double> areas;
  std::span<const int32_t> ground_truth_labels;
  std::span<const double> ground_truth_areas;
  std::span<const uint8_t> crowd;  // empty if there are no crowds
};

struct CocoDetection {
  double score;
  /** By area range; bit t belongs to IoU threshold t. */
  std::array<uint16_t, kAreaRanges> matched{};
  std::array<uint16_t, kAreaRanges> ignored{};
};

/** One class in one image. */
struct CocoClass {
  int32_t label;
  /** By decreasing score; equal scores keep their order. */
  std::vector<CocoDetection> detections;
  /** Number of ground-truth objects that are not ignored, by area range. */
  std::array<uint32_t, kAreaRanges> ground_truths{};
};

/** The classes that occur in the image, by increasing label. Only the `max_dets` highest-scoring
 *  detections of each class are used. */
std::vector<CocoClass> match_coco(const Pairs& pairs, const CocoImage& image, uint64_t max_dets);

/** Average precision and recall; NaN if there is no ground truth. */
struct CocoScores {
  std::array<double, kAreaRanges> ap;
  double ap50;
  double ap75;
  std::array<double, kAreaRanges> ar;
};

/** All images of a comparison, with their detections sorted by score. */
class CocoTable {
 public:
  explicit CocoTable(std::span<const std::vector<CocoClass>> images);

  /** `weights` says how often each image is used: 0 ignores it, 2 uses it twice. With `sizes`
   *  false only the metrics over all areas are computed; the others are NaN. */
  CocoScores scores(std::span<const uint32_t> weights, bool sizes) const;

  /** In increasing order. */
  const std::vector<int32_t>& labels() const { return labels_; }
  CocoScores scores_of(size_t class_index, std::span<const uint32_t> weights) const;
  uint64_t ground_truths_of(size_t class_index, std::span<const uint32_t> weights) const;

 private:
  struct Entry {
    uint32_t image;
    std::array<uint16_t, kAreaRanges> matched;
    std::array<uint16_t, kAreaRanges> ignored;
  };
  struct GroundTruthCounts {
    uint32_t image;
    std::array<uint32_t, kAreaRanges> count;
  };
  struct Class {
    std::vector<Entry> detections;  // by decreasing score, then by image
    std::vector<GroundTruthCounts> ground_truths;
  };
  /** Mean precision and recall at each IoU threshold. Returns false if there is no ground truth. */
  struct Curve {
    std::array<double, kThresholds> precision{};
    std::array<double, kThresholds> recall{};
  };
  static bool accumulate(const Class& own, std::span<const uint32_t> weights, int area,
                         Curve& curve);
  static CocoScores mean_of(std::span<const Class> classes, std::span<const uint32_t> weights,
                            int areas);

  std::vector<int32_t> labels_;
  std::vector<Class> classes_;
};

}  // namespace cellroute::metrics
