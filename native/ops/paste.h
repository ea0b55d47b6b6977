#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mask/rle.h"

namespace cellroute::ops {

/** torchvision's paste_masks_in_image followed by "> threshold", without an image-sized map:
 *  probabilities [N, M, M] float32 in 0..1 are resampled inside their boxes [N, 4] (x1, y1, x2,
 *  y2 in pixels, float32) and converted directly to runs. A box that is entirely outside the
 *  image, of negative size, not finite or beyond 1e15 pixels gives an empty mask. A box without
 *  area is one pixel wide, as in torchvision. threshold >= 0. */
std::vector<mask::Rle> paste_masks(const at::Tensor& probabilities, const at::Tensor& boxes,
                                   int64_t height, int64_t width, double threshold);

}  // namespace cellroute::ops
