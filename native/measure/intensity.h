#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "io/image.h"
#include "mask/rle.h"
#include "measure/shape.h"

namespace cellroute::measure {

/** Statistics of the values of the pixels of each mask, as the image has them: one array per
 *  statistic, with the channels of a mask one after the other. NaN for a mask without pixels, the
 *  sum 0. */
struct Intensities {
  /** 1 for grey, 3 for RGB; alpha is not counted. */
  uint32_t channels = 0;
  std::vector<double> mean, min, max, sum;
  /** Of the whole set, not of a sample: the sum of squares is divided by the number of pixels. */
  std::vector<double> deviation;
};

/** Throws INVALID_ARGUMENT if the image has another size than the masks. */
Intensities measure_intensities(std::span<const mask::RleView> masks, const io::Image& image,
                                uint64_t threads, const Progress& progress);

}  // namespace cellroute::measure
