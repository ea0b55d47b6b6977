#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** The dtype of activations for a compute dtype: integer products are computed from float32
 *  maps. */
inline at::ScalarType activation_dtype(at::ScalarType compute_dtype) {
  return at::isIntegralType(compute_dtype, /*includeBool=*/false) ? at::kFloat : compute_dtype;
}

/** Returns maps [N, C, H, W] in channels-last layout; the same tensor if it already has that
 *  layout. */
inline at::Tensor channels_last(const at::Tensor& maps) {
  return maps.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace cellroute::ops
