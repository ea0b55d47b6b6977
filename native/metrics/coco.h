#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "metrics/pairs.h"
#include "metrics/thresholds.h"

// COCOeval of pycocotools, number for number: evaluateImg() is match_coco(), accumulate() and
// summarize() are CocoTable.
namespace cellroute::metrics {

/** All, small, medium, large. */
inline constexpr int kAreaRanges = 4;

/** What COCOeval asks of one image besides the IoUs. */
struct CocoImage {
  std::span<const int32_t> labels;
  std::span<const double> scores;
  std::span<const double> areas;
  std::span<const int32_t> truth_labels;
  std::span<const double> truth_areas;
  std::span<const uint8_t> crowd;  // empty where there is none
};

struct CocoDetection {
  double score;
  /** By area range; bit t is for IoU threshold t. */
  std::array<uint16_t, kAreaRanges> matched{};
  std::array<uint16_t, kAreaRanges> ignored{};
};

/** One class in one image. */
struct CocoClass {
  int32_t label;
  /** By falling score; equal scores in the order they came. */
  std::vector<CocoDetection> detections;
  /** By area range: truths that count. */
  std::array<uint32_t, kAreaRanges> truths{};
};

/** The classes that occur in the image, by rising label. Of each the `max_dets` best detections
 *  are looked at. */
std::vector<CocoClass> match_coco(const Pairs& pairs, const CocoImage& image, uint64_t max_dets);

/** Average precision and recall; NaN where nothing counts as truth. */
struct CocoScores {
  std::array<double, kAreaRanges> ap;
  double ap50;
  double ap75;
  std::array<double, kAreaRanges> ar;
};

/** All images of a comparison, their detections in one order by score. */
class CocoTable {
 public:
  explicit CocoTable(std::span<const std::vector<CocoClass>> images);

  /** How often each image counts: 0 leaves it out, 2 is the image twice. With `sizes` false
   *  only what holds for all areas is computed, and the rest is NaN. */
  CocoScores scores(std::span<const uint32_t> weights, bool sizes) const;

  /** Rising. */
  const std::vector<int32_t>& labels() const { return labels_; }
  CocoScores scores_of(size_t class_index, std::span<const uint32_t> weights) const;
  uint64_t truths_of(size_t class_index, std::span<const uint32_t> weights) const;

 private:
  struct Entry {
    uint32_t image;
    std::array<uint16_t, kAreaRanges> matched;
    std::array<uint16_t, kAreaRanges> ignored;
  };
  struct Truths {
    uint32_t image;
    std::array<uint32_t, kAreaRanges> count;
  };
  struct Class {
    std::vector<Entry> detections;  // by falling score, then by image
    std::vector<Truths> truths;
  };
  /** Mean precision at each IoU threshold, and recall; false where nothing counts as truth. */
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
