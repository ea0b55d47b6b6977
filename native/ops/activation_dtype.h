#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** The dtype of activations for a compute dtype: integer products are computed from float32
 *  maps. */
inline torch::ScalarType activation_dtype(torch::ScalarType products) {
  return at::isIntegralType(products, /*includeBool=*/false) ? torch::kFloat32 : products;
}

}  // namespace cellroute::ops
