#pragma once

#include <cstdint>
#include <vector>

namespace cellroute::mask {

/** One mask as COCO counts: lengths of runs over the picture read column by column, the first of
 *  them background (0 where the first pixel belongs to the mask). The counts sum to height*width. */
struct Rle {
  uint32_t height = 0;
  uint32_t width = 0;
  std::vector<uint32_t> counts;
};

}  // namespace cellroute::mask
