#pragma once

#include <torch/torch.h>

#include "ops/cpu/kernels.h"
#include "ops/cpu/packed_winograd.h"

namespace cellroute::ops::cpu {

/** Packs weight [K, C, 3, 3] float32 with tiles of `side` for winograd_conv() with kernels of
 *  this panel size. */
PackedWinograd pack_winograd(const torch::Tensor& weight, torch::ScalarType compute_dtype,
                             int64_t side, int64_t panel);

/** The transform of the weights for tiles of `side`: [points, 9], from a row-major 3x3 filter,
 *  float32. */
torch::Tensor winograd_weight_transform(int64_t side);

/** input and residual are channels-last, bias is float32 [K], all of them checked. */
torch::Tensor winograd_conv(const torch::Tensor& input, const PackedWinograd& weights,
                            const torch::Tensor& bias, const torch::Tensor& residual, bool relu);

/** The same with kernels of another instruction set; the weights are packed for their panel. */
template <typename T>
torch::Tensor winograd_conv_by(const Kernels<T>& kernels, const torch::Tensor& input,
                               const PackedWinograd& weights, const torch::Tensor& bias,
                               const torch::Tensor& residual, bool relu);

}  // namespace cellroute::ops::cpu
