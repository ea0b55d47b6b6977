#pragma once

#include <torch/torch.h>

#include <vector>

#include "mask/rle.h"

namespace cellroute::ops::cuda {

/** As cpu::paste_masks, to the bit. Runs are found on the device, and nothing else comes back. */
std::vector<mask::Rle> paste_masks(const torch::Tensor& probabilities, const torch::Tensor& boxes,
                                   uint32_t height, uint32_t width, float threshold);

}  // namespace cellroute::ops::cuda
