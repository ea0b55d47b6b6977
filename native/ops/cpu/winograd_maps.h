#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/cpu/tile_order.h"
#include "ops/cpu/winograd_tiles.h"
#include "ops/cpu/work_blocks.h"

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

/** The maps of a convolution and their tiles, whatever multiplies the points. */
template <typename T>
struct WinogradMaps {
  const TileTransforms<T>& transforms;
  TileGrid grid;
  int64_t points;
  WorkBlocks blocks;
  int64_t channels, padded_channels;
  int64_t out_channels, padded_out_channels;
  const T *input, *zeros, *residual;
  const float* bias;
  bool relu;
  T* output;

  int64_t product_plane() const { return blocks.largest() * kChannelGroup + kPlaneGap; }

  TileOrder order_of(int64_t block) const {
    const int64_t first = blocks.begin(block);
    return TileOrder::by_kind(grid, first, blocks.end(block) - first);
  }

  /** The tiles of a list at their points: [points][plane]. */
  void transform(const TileList& list, T* out, int64_t plane) const {
    transforms.input({.maps = input,
                      .zeros = zeros,
                      .grid = grid,
                      .list = list,
                      .channels = channels,
                      .out = out,
                      .padded = padded_channels,
                      .plane = plane});
  }

  /** Calls multiply(k, width) for each group of output channels, which fills `products`, and
   *  writes the maps that come of it. */
  template <typename F>
  void for_each_group(const TileOrder& order, const float* products, F&& multiply) const {
    for (int64_t k = 0; k < padded_out_channels; k += kChannelGroup) {
      const int64_t width = std::min(kChannelGroup, padded_out_channels - k);
      multiply(k, width);
      transforms.output({.products = products,
                         .padded = width,
                         .plane = product_plane(),
                         .grid = grid,
                         .list = order.list(),
                         .channels = out_channels,
                         .first_channel = k,
                         .channel_count = std::min(width, out_channels - k),
                         .bias = bias + k,
                         .residual = residual,
                         .relu = relu,
                         .maps = output});
    }
  }
};

}  // namespace cellroute::ops::cpu
