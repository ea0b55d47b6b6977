#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>

#include "ops/cpu/kernels.h"
#include "ops/cpu/padded_columns.h"
#include "ops/cpu/winograd/packed_winograd.h"
#include "ops/cpu/winograd/tile_order.h"
#include "ops/cpu/winograd/winograd_tiles.h"
#include "ops/cpu/work_blocks.h"
#include "round_up.h"

namespace cellroute::ops::cpu {

/** Number of points of a tile of `side` x `side` outputs. */
constexpr int64_t points_of(int64_t side) { return (side + 2) * (side + 2); }

// Output channels per multiplication. A block's products for them stay in the cache until they are
// transformed back; their weights are contiguous in memory.
inline constexpr int64_t kChannelGroup = 64;

// Padding between the planes of a block. Without it their rows map to the same cache sets, and a
// store can be mistaken for one that a pending load depends on (4K aliasing).
inline constexpr int64_t kPlaneGap = 4 * kTileChannels;

// Block size with our products, which read a block's tiles once for each panel of weights.
inline constexpr int64_t kOwnBlockTiles = 48;

/** Uninitialised channels-last maps for the result of `input`. */
inline at::Tensor empty_result(const at::Tensor& input, const PackedWinograd& weights) {
  return at::empty({input.size(0), weights.out_channels, input.size(2), input.size(3)},
                   input.options(), at::MemoryFormat::ChannelsLast);
}

/** The maps of a convolution and their tiles, independent of how the points are multiplied. */
template <typename T>
struct WinogradMaps {
  const TileTransforms<T>& transforms;
  TileGrid grid;
  int64_t points;
  int64_t channels, padded_channels;
  int64_t out_channels, padded_out_channels;
  WorkBlocks blocks;
  at::Tensor zeros, bias;
  const T *input, *residual;
  bool relu;
  T* output;

  /** Tensors are checked and maps are channels-last; `maps_residual` may be undefined. Products
   *  have whole panels. Blocks are blocks_of(tiles, points, padded channels). */
  template <typename B>
  WinogradMaps(const Kernels<T>& kernels, const PackedWinograd& weights, int64_t panel,
               const at::Tensor& maps, const at::Tensor& plain_bias,
               const at::Tensor& maps_residual, bool with_relu, const at::Tensor& result,
               B&& blocks_of)
      : transforms(weights.side == 2 ? kernels.small_tiles : kernels.large_tiles),
        grid(tile_grid(maps.size(2), maps.size(3), weights.side)),
        points(points_of(weights.side)),
        channels(weights.in_channels),
        padded_channels(round_up(channels, kTileChannels)),
        out_channels(weights.out_channels),
        padded_out_channels(padded_columns(out_channels, panel)),
        blocks(blocks_of(maps.size(0) * grid.rows * grid.columns, points, padded_channels)),
        zeros(at::zeros({channels}, maps.options())),
        bias(padded_bias(plain_bias, panel)),
        input(static_cast<const T*>(maps.const_data_ptr())),
        residual(maps_residual.defined() ? static_cast<const T*>(maps_residual.const_data_ptr())
                                         : nullptr),
        relu(with_relu),
        output(static_cast<T*>(result.mutable_data_ptr())) {}

  TileOrder order_of(int64_t block) const {
    const int64_t first = blocks.begin(block);
    return TileOrder::by_kind(grid, first, blocks.end(block) - first);
  }

  int64_t product_plane() const { return blocks.largest() * kChannelGroup + kPlaneGap; }

  /** Transforms the tiles of a list to their points: [points][plane]. */
  void transform(const TileList& list, T* out, int64_t plane) const {
    transforms.input({.maps = input,
                      .zeros = static_cast<const T*>(zeros.const_data_ptr()),
                      .grid = grid,
                      .list = list,
                      .channels = channels,
                      .out = out,
                      .padded = padded_channels,
                      .plane = plane});
  }

  /** Calls multiply(k, width) for each group of output channels, which fills `products`, and
   *  writes the resulting maps. */
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
                         .bias = bias.template const_data_ptr<float>() + k,
                         .residual = residual,
                         .relu = relu,
                         .maps = output});
    }
  }
};

}  // namespace cellroute::ops::cpu
