#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/profile.h"
#include "mask/rle.h"

namespace cellroute::infer {

/** The cells of one image by falling score, in pixels of the image as it came. */
struct Cells {
  std::vector<float> boxes;  // [4 n], x1 y1 x2 y2
  std::vector<float> scores;
  std::vector<int32_t> labels;
  std::vector<uint32_t> areas;
  std::vector<mask::Rle> masks;
  bool detections_capped = false;
  bool proposals_capped = false;
  /** Of all images of the call together; empty where it was not asked for. */
  Profile profile;
};

/** Measures the areas, drops masks of fewer than `min_area` pixels, and where there is a `max_lost`
 *  gives every pixel to one cell: share of its pixels per cell may lose to better ones before it is
 *  dropped. */
void filter_by_area_and_overlap(Cells& cells, uint32_t min_area,
                                const std::optional<double>& max_lost);

}  // namespace cellroute::infer
