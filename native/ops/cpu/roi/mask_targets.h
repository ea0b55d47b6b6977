#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "mask/rle.h"

namespace cellroute::ops::cpu {

/** Arguments are checked and contiguous. */
at::Tensor mask_targets(std::span<const mask::Rle> masks, const at::Tensor& boxes,
                        const at::Tensor& matched, int64_t height, int64_t width, int64_t size);

}  // namespace cellroute::ops::cpu
