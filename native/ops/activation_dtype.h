#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** The dtype of activations for a compute dtype: integer products are computed from float32
 *  maps. */
inline at::ScalarType activation_dtype(at::ScalarType products) {
  return at::isIntegralType(products, /*includeBool=*/false) ? at::kFloat : products;
}

}  // namespace cellroute::ops
