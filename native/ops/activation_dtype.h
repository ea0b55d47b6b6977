#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** What maps are made of that are multiplied by such products: integers are made of float32. */
inline torch::ScalarType activation_dtype(torch::ScalarType products) {
  return at::isIntegralType(products, /*includeBool=*/false) ? torch::kFloat32 : products;
}

}  // namespace cellroute::ops
