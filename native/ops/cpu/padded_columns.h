#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>

#include "ops/cpu/round_up.h"
#include "ops/cpu/winograd_tiles.h"

namespace cellroute::ops::cpu {

/** The number of output channels padded to whole panels. */
inline int64_t padded_columns(int64_t columns, int64_t panel) {
  return round_up(columns, std::max(panel, kTileChannels));
}

/** A bias padded with zeros for these. */
inline torch::Tensor padded_bias(const torch::Tensor& bias, int64_t panel) {
  return torch::constant_pad_nd(bias, {0, padded_columns(bias.size(0), panel) - bias.size(0)});
}

}  // namespace cellroute::ops::cpu
