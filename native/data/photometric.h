#pragma once

#include <cstdint>
#include <span>

#include "data/axis.h"

namespace cellroute::data {

/** Factors of an image's values; 1 leaves them as they are, any other clamps them to 0..1. */
struct Photometric {
  float brightness = 1;  // torchvision's adjust_brightness
  float contrast = 1;    // adjust_contrast
  float gamma = 1;       // adjust_gamma
};

/** Brightness, contrast and gamma, in this order, of a part of [channels, height, width] values;
 *  the mean grey that contrast turns about is the part's. */
void adjust(std::span<float> values, int64_t channels, int64_t width, Span rows, Span columns,
            const Photometric& factors);

}  // namespace cellroute::data
