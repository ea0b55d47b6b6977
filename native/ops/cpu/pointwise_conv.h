#pragma once

#include <torch/torch.h>

#include "ops/cpu/kernels.h"
#include "ops/pointwise_conv.h"

namespace cellroute::ops::cpu {

/** Packs weight [K, C] float32 for pointwise_conv() with kernels of this panel size. */
torch::Tensor pack_pointwise_weight(const torch::Tensor& weight, int64_t panel);

/** For one input, or for two with kernels that have their own products; the stride applies to
 *  the last one. Tensors are channels-last, not empty and checked; residual may be undefined or
 *  the output itself. The weights are packed for the kernels' panel. */
void pointwise_conv(at::TensorList inputs, const PointwiseWeights& weights,
                    const torch::Tensor& bias, int64_t stride, const torch::Tensor& residual,
                    bool relu, torch::Tensor& output,
                    const Kernels<float>& kernels = **usable_kernels<float>());

}  // namespace cellroute::ops::cpu
