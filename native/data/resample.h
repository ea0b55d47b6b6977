#pragma once

#include <vector>

#include "data/axis.h"
#include "io/intensity.h"

namespace cellroute::data {

/** The part of an image that a sample shows: [channels, height, width] with `fill` outside the
 *  image. The image has 1 or 3 channels; rows run along its y if `transposed`. Bilinear, with
 *  antialiasing where the image is reduced. */
std::vector<float> resample(const io::FloatImage& image, int64_t image_width, const Axis& x,
                            const Axis& y, bool transposed, float fill);

}  // namespace cellroute::data
