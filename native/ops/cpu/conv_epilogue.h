#pragma once

#include <cstdint>

namespace cellroute::ops::cpu {

/** Converts rows of products to a channels-last map: adds bias and residual and applies ReLU. */
template <typename T>
struct ConvEpilogue {
  const float* products;  // [rows][product_stride]
  int64_t product_stride;
  const float* bias;  // padded like the products
  const T* residual;  // like `out`; may be null, or `out` itself
  T* out;             // [rows][stride], `channels` of each row
  int64_t stride;
  int64_t rows;
  int64_t channels;
  bool relu;
};

}  // namespace cellroute::ops::cpu
