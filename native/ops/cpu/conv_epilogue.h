#pragma once

#include <cstdint>

namespace cellroute::ops::cpu {

/** Rows of products on their way into a channels-last map: bias, residual and ReLU. */
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
