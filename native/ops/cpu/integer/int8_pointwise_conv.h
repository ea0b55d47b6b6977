#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/cpu/integer/integer_matrix.h"

namespace cellroute::ops::cpu {

/** 8-bit weights of channels that are quantised together: a limited number of channels of one
 *  input. */
struct Int8Slice {
  int64_t input;          // 0, or 1 for the second of two
  int64_t first_channel;  // of that input
  int64_t channels;
  IntegerMatrix weights;  // [K, channels]
};

/** Packs the weights [K, C] float32 of each input. */
std::vector<Int8Slice> pack_int8_weights(at::TensorList weights, const IntegerKernels& kernels);

/** See pointwise_conv(); the weights are packed for these kernels. */
void int8_pointwise_conv(at::TensorList inputs, const std::vector<Int8Slice>& slices,
                         const at::Tensor& bias, int64_t stride, const at::Tensor& residual,
                         bool relu, at::Tensor& output,
                         const IntegerKernels& kernels = **usable_int8_kernels());

}  // namespace cellroute::ops::cpu
