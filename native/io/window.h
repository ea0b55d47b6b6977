#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "io/image.h"
#include "io/intensity.h"

namespace cellroute::io {

/** A part of a resized image, starting at pixel (x, y). */
struct Window {
  int64_t x;
  int64_t y;
  int64_t width;
  int64_t height;
};

/** A window of the image resized to `height` x `width`: [3, window.height, window.width]
 *  float32, grey repeated. Equals the same part of torch's bilinear resize (align_corners false,
 *  no antialiasing) of the whole image up to rounding; the rest of the image is not read. */
at::Tensor read_window(const FloatImage& values, const Image& image, int64_t height, int64_t width,
                       const Window& window);

}  // namespace cellroute::io
