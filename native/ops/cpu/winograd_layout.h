#pragma once

#include <cstdint>

#include "ops/cpu/winograd_tiles.h"

namespace cellroute::ops::cpu {

/** Points of a tile of `side` x `side` outputs. */
constexpr int64_t points_of(int64_t side) { return (side + 2) * (side + 2); }

// Output channels multiplied at once. A block's products of so many stay in the cache until they
// are transformed back; the weights of so many follow each other in memory.
inline constexpr int64_t kChannelGroup = 64;

// Between the planes of a block. Without it their rows meet in the same sets of the cache, and a
// store is taken for one that a load still waits for.
inline constexpr int64_t kPlaneGap = 4 * kTileChannels;

// With our products, which read a block's tiles once for each panel of weights.
inline constexpr int64_t kBlockTilesOfOurs = 48;

}  // namespace cellroute::ops::cpu
