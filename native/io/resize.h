#pragma once

#include <cstdint>

#include "io/image.h"

namespace cellroute::io {

/** Antialiased bilinear resize: Pillow 13's Image.resize(..., BILINEAR), bit-identical for 8-bit
 *  and float images; 16-bit images are resized as floats and rounded. Alpha is treated like any
 *  other channel (Pillow would premultiply RGBA). */
Image resize(const Image& image, int64_t height, int64_t width);

/** Resizes the largest centred part with the target's aspect ratio: fastai's
 *  Resize(method="crop") as used in validation. */
Image resize_crop(const Image& image, int64_t height, int64_t width);

}  // namespace cellroute::io
