#pragma once

#include <vector>

#include "data/axis.h"
#include "io/intensity.h"

namespace cellroute::data {

/** What a sample sees of a picture: [channels, height, width] with `fill` past the picture, where
 *  channels are the picture's 1 or 3, and rows run along its y if `transposed`. Bilinear, with
 *  antialiasing where it shrinks. */
std::vector<float> resample(const io::FloatPicture& picture, int64_t picture_width, const Axis& x,
                            const Axis& y, bool transposed, float fill);

}  // namespace cellroute::data
