#pragma once

#include <torch/torch.h>

#include <vector>

#include "mask/rle.h"

namespace cellroute::ops {

/** torchvision's paste_masks_in_image followed by "> threshold", without the picture-sized map:
 *  probabilities [N, M, M] float32 in 0..1 are resampled inside their boxes [N, 4] (pixels) and go
 *  straight to runs. A box wholly outside the picture, or without area, gives an empty mask. */
std::vector<mask::Rle> paste_masks(const torch::Tensor& probabilities, const torch::Tensor& boxes,
                                   int64_t height, int64_t width, double threshold);

}  // namespace cellroute::ops
