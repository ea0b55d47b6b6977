#pragma once

#include <ATen/core/Tensor.h>

#include "ops/cpu/kernels.h"

namespace cellroute::ops::cpu {

/** Weights [..., K, C] as integers, in the kernels' layout. */
struct IntegerMatrix {
  at::Tensor words;  // [..., panels, words, panel, values of a word]
  at::Tensor steps;  // [..., K, padded]: a weight equals its row's step times an integer
  at::Tensor sums;   // of a row's weights
};

/** Rounds each row of weights to integers from -largest to largest, relative to its own range. */
IntegerMatrix pack_integers(const at::Tensor& weights, int64_t largest,
                            const IntegerKernels& kernels);

/** Bytes of a quantised row. */
int64_t row_bytes(int64_t depth, const IntegerKernels& kernels);

/** Number of its words that are multiplied. */
int64_t row_words(int64_t depth, const IntegerKernels& kernels);

}  // namespace cellroute::ops::cpu
