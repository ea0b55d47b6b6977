#pragma once

#include <torch/torch.h>

#include "ops/cpu/kernels.h"
#include "ops/pointwise_conv.h"

namespace cellroute::ops::cpu {

/** weight [K, C] float32 as pointwise_conv reads it. */
torch::Tensor pack_pointwise_weight(const torch::Tensor& weight);

/** Everything is channels-last and checked; residual may be undefined, or output itself. */
void pointwise_conv(const torch::Tensor& input, const PointwiseWeights& weights,
                    const torch::Tensor& bias, int64_t stride, const torch::Tensor& residual,
                    bool relu, torch::Tensor& output,
                    const Kernels<float>& kernels = **usable_kernels<float>());

}  // namespace cellroute::ops::cpu
