#pragma once

#include <cstdint>
#include <vector>

#include "mask/rle.h"

namespace cellroute::metrics {

/** Masks of one size that are owned here: counts of mask i from offsets[i] to offsets[i + 1]. */
struct MaskSet {
  uint32_t height = 1;
  uint32_t width = 1;
  std::vector<uint32_t> counts;
  std::vector<uint32_t> offsets{0};

  size_t size() const { return offsets.size() - 1; }
  /** Throws RLE_MALFORMED where the counts are not as `Rle` has them. */
  std::vector<mask::RleView> checked_views() const;
};

/** An image to be judged. Boxes are x, y, width, height. */
struct Image {
  MaskSet truth;
  MaskSet predicted;
  std::vector<int32_t> truth_labels;
  std::vector<int32_t> labels;
  std::vector<double> scores;
  /** Regions of many cells among the truth; empty where there are none. */
  std::vector<uint8_t> crowd;
  /** What COCO's bbox metric compares; empty for the boxes of the masks. */
  std::vector<double> truth_boxes;
  std::vector<double> boxes;
  /** What COCO's area ranges go by, in pixels; empty for the areas of the masks. */
  std::vector<double> truth_areas;
  std::vector<double> areas;
};

}  // namespace cellroute::metrics
