#pragma once

#include <cstdint>

#include "io/image.h"

namespace cellroute::io {

/** Antialiased bilinear resize: Pillow 13's Image.resize(..., BILINEAR), bit-identical for 8-bit
 *  and float images; 16-bit images are resized as floats and rounded. Alpha is treated like any
 *  other channel (Pillow would premultiply RGBA). */
Image resize(const Image& image, int64_t height, int64_t width);

/** A rectangle of an image in pixels. */
struct Region {
  int64_t left;
  int64_t top;
  int64_t width;
  int64_t height;
};

/** The largest centred part of an image with the target's aspect ratio: what fastai's
 *  Resize(method="crop") crops in validation. Sides are truncated and at least 1. */
Region centred_part(int64_t width, int64_t height, int64_t target_width, int64_t target_height);

/** Resizes centred_part() to the target. */
Image resize_crop(const Image& image, int64_t height, int64_t width);

}  // namespace cellroute::io
