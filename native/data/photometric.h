#pragma once

#include <cstdint>
#include <span>

#include "data/axis.h"

namespace cellroute::data {

/** Factors for an image's values. 1 leaves them unchanged; any other factor clamps the result to
 *  0..1. */
struct Photometric {
  float brightness = 1;  // torchvision's adjust_brightness
  float contrast = 1;    // adjust_contrast
  float gamma = 1;       // adjust_gamma
};

/** Applies brightness, contrast and gamma, in this order, to a part of [channels, height, width]
 *  values. Contrast uses the mean grey value of that part. */
void adjust(std::span<float> values, int64_t channels, int64_t width, Span rows, Span columns,
            const Photometric& factors);

}  // namespace cellroute::data
