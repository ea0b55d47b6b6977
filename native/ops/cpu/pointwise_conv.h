#pragma once

#include <torch/torch.h>

#include "ops/cpu/kernels.h"
#include "ops/pointwise_conv.h"

namespace cellroute::ops::cpu {

/** weight [K, C] float32 as pointwise_conv reads it by kernels that want such a panel. */
torch::Tensor pack_pointwise_weight(const torch::Tensor& weight, int64_t panel);

/** Of one input, or by kernels with products of their own of two: the last has the stride.
 *  Everything is channels-last, has pixels and is checked; residual may be undefined, or output
 *  itself. The weights are packed for the kernels' panel. */
void pointwise_conv(at::TensorList inputs, const PointwiseWeights& weights,
                    const torch::Tensor& bias, int64_t stride, const torch::Tensor& residual,
                    bool relu, torch::Tensor& output,
                    const Kernels<float>& kernels = **usable_kernels<float>());

}  // namespace cellroute::ops::cpu
