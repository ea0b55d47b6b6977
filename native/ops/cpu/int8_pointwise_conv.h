#pragma once

#include <torch/torch.h>

#include <vector>

#include "ops/cpu/integer_matrix.h"

namespace cellroute::ops::cpu {

/** Weights in 8 bits of the channels whose values are quantised together: of one input, and not of
 *  too many. */
struct Int8Slice {
  int64_t input;          // 0, or 1 of the second of two
  int64_t first_channel;  // of that input
  int64_t channels;
  IntegerMatrix weights;  // [K, channels]
};

/** weights [K, C] float32 of each input, side by side. */
std::vector<Int8Slice> pack_int8_weights(at::TensorList weights, const IntegerKernels& kernels);

/** As pointwise_conv; the weights are packed for these kernels. */
void int8_pointwise_conv(at::TensorList inputs, const std::vector<Int8Slice>& slices,
                         const torch::Tensor& bias, int64_t stride, const torch::Tensor& residual,
                         bool relu, torch::Tensor& output,
                         const IntegerKernels& kernels = **usable_int8_kernels());

}  // namespace cellroute::ops::cpu
