#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "io/intensity.h"
#include "io/picture.h"

namespace cellroute::io {

/** A part of a picture that was resized: from the pixel (x, y) on. */
struct Window {
  int64_t x;
  int64_t y;
  int64_t width;
  int64_t height;
};

/** A window of the picture as it is when resized to `height` x `width`: [3, window.height,
 *  window.width] float32, grey repeated. What torch's bilinear resize (align_corners false, no
 *  antialiasing) of the whole has there, but for rounding; the rest of the picture is not read. */
torch::Tensor read_window(const FloatPicture& values, const Picture& picture, int64_t height,
                          int64_t width, const Window& window);

}  // namespace cellroute::io
