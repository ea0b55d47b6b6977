#pragma once

#include <ATen/core/Tensor.h>

#include "ops/cpu/kernels.h"

namespace cellroute::ops::cpu {

/** The gradient of the weight [K, C, 3, 3] of winograd_conv(), from its input [N, C, H, W] and
 *  the gradient of its output [N, K, H, W], both float32 and channels-last. Uses the transposed
 *  transforms of the forward pass. */
at::Tensor winograd_weight_gradient(const at::Tensor& input, const at::Tensor& grad);

/** The same with kernels of another instruction set. */
at::Tensor winograd_weight_gradient_by(const Kernels<float>& kernels, const at::Tensor& input,
                                       const at::Tensor& grad);

}  // namespace cellroute::ops::cpu
