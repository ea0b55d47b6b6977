#pragma once

#include <cstdint>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** Masks of one size with their own memory: the counts of mask i are offsets[i] to offsets[i +
 *  1]. */
struct MaskSet {
  uint32_t height = 1;
  uint32_t width = 1;
  std::vector<uint32_t> counts;
  std::vector<uint32_t> offsets{0};

  size_t size() const { return offsets.size() - 1; }
  /** Throws RLE_MALFORMED if the counts do not satisfy the rules of `Rle`. */
  std::vector<RleView> checked_views() const;
};

}  // namespace cellroute::mask
