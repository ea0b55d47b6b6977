#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/profile.h"
#include "mask/rle.h"

namespace cellroute::infer {

/** The cells of one image by decreasing score, in pixels of the original image. */
struct Cells {
  std::vector<float> boxes;  // [4 n], x1 y1 x2 y2
  std::vector<float> scores;
  std::vector<int32_t> labels;
  std::vector<uint32_t> areas;
  std::vector<mask::Rle> masks;
  bool detections_capped = false;
  bool proposals_capped = false;
  /** For all images of the call together; empty unless requested. */
  Profile profile;
};

/** Computes areas and drops masks of fewer than `min_area` pixels. With `max_lost`, each pixel
 *  is assigned to one cell: a cell that loses more than this share of its pixels to higher-
 *  scoring ones is dropped. */
void filter_by_area_and_overlap(Cells& cells, uint32_t min_area,
                                const std::optional<double>& max_lost);

}  // namespace cellroute::infer
