#pragma once

#include <vector>

#include "data/axis.h"
#include "io/intensity.h"

namespace cellroute::data {

/** What a sample sees of an image: [channels, height, width] with `fill` past the image, where
 *  channels are the image's 1 or 3, and rows run along its y if `transposed`. Bilinear, with
 *  antialiasing where it shrinks. */
std::vector<float> resample(const io::FloatImage& image, int64_t image_width, const Axis& x,
                            const Axis& y, bool transposed, float fill);

}  // namespace cellroute::data
