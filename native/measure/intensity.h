#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "io/image.h"
#include "mask/rle.h"
#include "measure/shape.h"

namespace cellroute::measure {

/** Statistics of the values that the pixels of each mask have in an image, or in a window of one:
 * one array per statistic, with the channels of a mask one after the other. A mask without pixels
 * in the window has the count and the sum 0, and NaN for the others. */
struct Intensities {
  /** 1 for grey, 3 for RGB; alpha is not counted. */
  uint32_t channels = 0;
  /** Pixels of each mask in the window: one value per mask. */
  std::vector<double> count;
  std::vector<double> mean, min, max, sum;
  /** Sum of the squared differences from the mean. */
  std::vector<double> squares;
};

/** Place of the first pixel of a window in the image that the masks are of. */
struct Origin {
  uint32_t x = 0;
  uint32_t y = 0;
};

/** Throws INVALID_ARGUMENT if the window does not lie in the image that the masks are of. */
Intensities measure_intensities(std::span<const mask::RleView> masks, const io::Image& window,
                                const Origin& origin, uint64_t threads, const Progress& progress);

}  // namespace cellroute::measure
