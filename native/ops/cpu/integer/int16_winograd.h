#pragma once

#include <ATen/core/Tensor.h>

#include "ops/cpu/kernels.h"
#include "ops/cpu/winograd/packed_winograd.h"

namespace cellroute::ops::cpu {

/** Packs weight [K, C, 3, 3] float32 with tiles of `side` for int16_winograd_conv(). */
PackedWinograd pack_int16_winograd(const at::Tensor& weight, int64_t side,
                                   const IntegerKernels& kernels);

/** winograd_conv() for float32 maps with 16-bit integer products at the points: each tile's
 *  values at a point are quantised over the range whose sums fit 32 bits. */
at::Tensor int16_winograd_conv(const at::Tensor& input, const PackedWinograd& weights,
                               const at::Tensor& bias, const at::Tensor& residual, bool relu,
                               const IntegerKernels& kernels = **usable_int16_kernels());

}  // namespace cellroute::ops::cpu
