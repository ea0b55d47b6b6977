#pragma once

#include <ATen/core/Tensor.h>

#include "ops/cpu/kernels.h"
#include "ops/cpu/winograd/packed_winograd.h"

namespace cellroute::ops::cpu {

/** Packs weight [K, C, 3, 3] float32 with tiles of `side` for winograd_conv() with kernels of
 *  this panel size. */
PackedWinograd pack_winograd(const at::Tensor& weight, at::ScalarType compute_dtype, int64_t side,
                             int64_t panel);

/** The transform of the weights for tiles of `side`: [points, 9], from a row-major 3x3 filter,
 *  float32. */
at::Tensor winograd_weight_transform(int64_t side);

/** input and residual are channels-last, bias is float32 [K], all of them checked. */
at::Tensor winograd_conv(const at::Tensor& input, const PackedWinograd& weights,
                         const at::Tensor& bias, const at::Tensor& residual, bool relu);

/** The same with kernels of another instruction set; the weights are packed for their panel. */
template <typename T>
at::Tensor winograd_conv_by(const Kernels<T>& kernels, const at::Tensor& input,
                            const PackedWinograd& weights, const at::Tensor& bias,
                            const at::Tensor& residual, bool relu);

}  // namespace cellroute::ops::cpu
