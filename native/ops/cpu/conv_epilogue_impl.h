#pragma once

#include "ops/cpu/conv_epilogue.h"
#include "ops/cpu/vec.h"

namespace cellroute::ops::cpu {
namespace {

template <typename T>
void apply_epilogue(const ConvEpilogue<T>& rows) {
  for (int64_t r = 0; r < rows.rows; ++r) {
    const int64_t at = r * rows.stride;
    for (int64_t c = 0; c < rows.channels; c += kLanes) {
      const int64_t left = rows.channels - c;
      const Vec value = load(rows.products + r * rows.product_stride + c) + load(rows.bias + c);
      write(rows.out + at + c, left < kLanes ? left : kLanes, value,
            rows.residual == nullptr ? nullptr : rows.residual + at + c, rows.relu);
    }
  }
}

}  // namespace
}  // namespace cellroute::ops::cpu
