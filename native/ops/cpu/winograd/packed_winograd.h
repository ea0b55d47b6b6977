#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "ops/cpu/integer/integer_matrix.h"

namespace cellroute::ops::cpu {

/** Weights [K, C, 3, 3] transformed for tiles of `side`, in the layout of one instruction set. */
struct PackedWinograd {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t side = 0;
  at::ScalarType compute_dtype = at::kFloat;
  at::Tensor points = {};       // for float32 and bfloat16
  IntegerMatrix integers = {};  // for int16
};

}  // namespace cellroute::ops::cpu
