#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

struct WithoutOverlaps {
  std::vector<Rle> masks;
  /** Indices of the given masks that were kept, in increasing order. */
  std::vector<uint32_t> kept;
};

/** Assigns each pixel to the first mask that contains it. Masks are given in decreasing order of
 *  score and have the same size. A mask that loses more than `max_lost` (0 to 1) of its area is
 *  dropped, and its remaining pixels stay free for later masks. A mask that loses exactly that
 *  share is kept; with max_lost 1 it may have no pixels left. Needs one bit of memory per pixel. */
WithoutOverlaps remove_overlaps(std::span<const RleView> masks, double max_lost);

}  // namespace cellroute::mask
