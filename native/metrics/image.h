#pragma once

#include <cstdint>
#include <vector>

#include "mask/rle.h"

namespace cellroute::metrics {

/** Masks of one size with their own memory: the counts of mask i are offsets[i] to offsets[i +
 *  1]. */
struct MaskSet {
  uint32_t height = 1;
  uint32_t width = 1;
  std::vector<uint32_t> counts;
  std::vector<uint32_t> offsets{0};

  size_t size() const { return offsets.size() - 1; }
  /** Throws RLE_MALFORMED if the counts do not satisfy the rules of `Rle`. */
  std::vector<mask::RleView> checked_views() const;
};

/** An image to evaluate. Boxes are x, y, width, height. */
struct Image {
  MaskSet truth;
  MaskSet predicted;
  std::vector<int32_t> truth_labels;
  std::vector<int32_t> labels;
  std::vector<double> scores;
  /** Marks crowd regions in the ground truth; empty if there are none. */
  std::vector<uint8_t> crowd;
  /** Boxes for COCO's bbox metric; empty to use the boxes of the masks. */
  std::vector<double> truth_boxes;
  std::vector<double> boxes;
  /** Areas in pixels for COCO's area ranges; empty to use the areas of the masks. */
  std::vector<double> truth_areas;
  std::vector<double> areas;
};

}  // namespace cellroute::metrics
