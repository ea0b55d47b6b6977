#pragma once

#include <cstdint>

#include "io/image.h"

namespace cellroute::io {

/** Antialiased bilinear resize, Pillow 13's Image.resize(..., BILINEAR): equal to the last bit for
 *  8-bit and float images; 16-bit ones are resized as floats and rounded. Alpha is a channel as
 * any other (Pillow would premultiply RGBA). */
Image resize(const Image& image, int64_t height, int64_t width);

/** The largest centred part of the target's shape, resized: fastai's Resize(method="crop") as it is
 *  in validation. */
Image resize_crop(const Image& image, int64_t height, int64_t width);

}  // namespace cellroute::io
