#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "io/image.h"
#include "io/intensity.h"

namespace cellroute::io {

/** A part of an image that was resized: from the pixel (x, y) on. */
struct Window {
  int64_t x;
  int64_t y;
  int64_t width;
  int64_t height;
};

/** A window of the image as it is when resized to `height` x `width`: [3, window.height,
 *  window.width] float32, grey repeated. What torch's bilinear resize (align_corners false, no
 *  antialiasing) of the whole has there, but for rounding; the rest of the image is not read. */
torch::Tensor read_window(const FloatImage& values, const Image& image, int64_t height,
                          int64_t width, const Window& window);

}  // namespace cellroute::io
