#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mask/rle.h"

namespace cellroute::ops::cuda {

/** Bit-identical to cpu::paste_masks. Runs are found on the device, and only runs are copied
 *  back. */
std::vector<mask::Rle> paste_masks(const at::Tensor& probabilities, const at::Tensor& boxes,
                                   uint32_t height, uint32_t width, float threshold);

}  // namespace cellroute::ops::cuda
