#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mask/rle.h"

namespace cellroute::ops::cpu {

/** probabilities [N, M, M] and boxes [N, 4] are float32 and contiguous; boxes are enlarged with
 *  the border of one zero around the masks. */
std::vector<mask::Rle> paste_masks(const at::Tensor& probabilities, const at::Tensor& boxes,
                                   uint32_t height, uint32_t width, float threshold);

}  // namespace cellroute::ops::cpu
