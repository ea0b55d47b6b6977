#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

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

/** Where a part of a larger image lies, and the larger image's size. */
struct PartOf {
  int64_t x;
  int64_t y;
  int64_t width;
  int64_t height;
};

/** A window of an image resized to `height` x `width`: [3, window.height, window.width]
 *  float32, grey repeated. `image` is the part of it that `part` says, which contains what the
 *  window needs. Equals the same part of torch's bilinear resize (align_corners false, no
 *  antialiasing) of the whole image up to rounding; the rest of the image is not read. */
at::Tensor read_window(const FloatImage& values, const Image& image, const PartOf& part,
                       int64_t height, int64_t width, const Window& window);

/** The pixels begin..end of `from` that resized pixels begin..end of `to` are computed from. */
std::pair<int64_t, int64_t> needed_pixels(int64_t from, int64_t to, int64_t begin, int64_t end);

}  // namespace cellroute::io
