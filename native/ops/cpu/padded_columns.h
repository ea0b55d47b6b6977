#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <cstdint>

#include "ops/cpu/winograd/winograd_tiles.h"
#include "round_up.h"

namespace cellroute::ops::cpu {

/** The number of output channels padded to whole panels. */
inline int64_t padded_columns(int64_t columns, int64_t panel) {
  return round_up(columns, std::max(panel, kTileChannels));
}

/** A bias padded with zeros for these. */
inline at::Tensor padded_bias(const at::Tensor& bias, int64_t panel) {
  return at::constant_pad_nd(bias, {0, padded_columns(bias.size(0), panel) - bias.size(0)});
}

}  // namespace cellroute::ops::cpu
