#pragma once

#include <torch/torch.h>

#include "ops/cpu/integer_matrix.h"
#include "ops/cpu/kernels.h"
#include "ops/winograd_conv.h"

namespace cellroute::ops::cpu {

/** weight [K, C, 3, 3] float32 transformed for tiles of `side`: [points, K, C]. */
IntegerMatrix pack_int16_winograd_weight(const torch::Tensor& weight, int64_t side,
                                         const IntegerKernels& kernels);

/** winograd_conv() for float32 maps with 16-bit integer products at the points: each tile's
 *  values at a point are quantised over the range whose sums fit 32 bits. */
torch::Tensor int16_winograd_conv(const torch::Tensor& input, const WinogradWeights& weights,
                                  const torch::Tensor& bias, const torch::Tensor& residual,
                                  bool relu,
                                  const IntegerKernels& kernels = **usable_int16_kernels());

}  // namespace cellroute::ops::cpu
