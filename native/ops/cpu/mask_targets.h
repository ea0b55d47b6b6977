#pragma once

#include <torch/torch.h>

#include <span>

#include "mask/rle.h"

namespace cellroute::ops::cpu {

/** Arguments are checked and contiguous. */
torch::Tensor mask_targets(std::span<const mask::Rle> masks, const torch::Tensor& boxes,
                           const torch::Tensor& matched, int64_t height, int64_t width,
                           int64_t size);

}  // namespace cellroute::ops::cpu
