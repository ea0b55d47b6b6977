#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ops/cpu/integer/int8_pointwise_conv.h"
#include "ops/cpu/kernels.h"

namespace cellroute::ops::cpu {

/** Weights [K, C] of a 1x1 convolution in the layout of one instruction set. */
struct PackedPointwise {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  at::Tensor panels = {};              // for float32
  std::vector<Int8Slice> slices = {};  // for int8, empty with float32
};

/** Packs weight [K, C] float32 for pointwise_conv() with kernels of this panel size. */
PackedPointwise pack_pointwise(const at::Tensor& weight, int64_t panel);

/** For one input, or for two with kernels that have their own products; the stride applies to
 *  the last one. Tensors are channels-last, not empty and checked; residual may be undefined or
 *  the output itself. The weights are packed for the kernels' panel. */
void pointwise_conv(at::TensorList inputs, const PackedPointwise& weights, const at::Tensor& bias,
                    int64_t stride, const at::Tensor& residual, bool relu, at::Tensor& output,
                    const Kernels<float>& kernels = **usable_kernels<float>());

}  // namespace cellroute::ops::cpu
