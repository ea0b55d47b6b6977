#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

struct WithoutOverlaps {
  std::vector<Rle> masks;
  /** Which of the given masks these are, rising. */
  std::vector<uint32_t> kept;
};

/** Gives every pixel to the first mask that has it: masks come in falling order of score. A mask
 *  that loses more than `max_lost` (0 to 1) of its area is dropped, and what it had left is free
 *  for those after it. A mask that loses exactly that share stays; with max_lost 1 that may be a
 *  mask without pixels. All masks are of one size. Needs one bit a pixel of the image. */
WithoutOverlaps remove_overlaps(std::span<const RleView> masks, double max_lost);

}  // namespace cellroute::mask
