#pragma once

#include <cstdint>
#include <vector>

#include "mask/mask_set.h"

namespace cellroute::metrics {

/** An image to evaluate. Boxes are x, y, width, height. */
struct Image {
  mask::MaskSet ground_truth;
  mask::MaskSet predicted;
  std::vector<int32_t> ground_truth_labels;
  std::vector<int32_t> labels;
  std::vector<double> scores;
  /** Marks crowd regions in the ground truth; empty if there are none. */
  std::vector<uint8_t> crowd;
  /** Boxes for COCO's bbox metric; empty to use the boxes of the masks. */
  std::vector<double> ground_truth_boxes;
  std::vector<double> boxes;
  /** Areas in pixels for COCO's area ranges; empty to use the areas of the masks. */
  std::vector<double> ground_truth_areas;
  std::vector<double> areas;
};

}  // namespace cellroute::metrics
