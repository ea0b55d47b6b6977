#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/cpu/round_up.h"
#include "ops/cpu/winograd_tiles.h"

namespace cellroute::ops::cpu {

/** Output channels with those that kernels of such a panel multiply besides. */
inline int64_t padded_columns(int64_t columns, int64_t panel) {
  return round_up(columns, std::max(panel, kTileChannels));
}

}  // namespace cellroute::ops::cpu
