#include "ops/cpu/integer/int16_winograd.h"

#include <ATen/ops/mm.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>

#include "engine/parallel.h"
#include "ops/cpu/block_queue.h"
#include "ops/cpu/winograd/tile_order.h"
#include "ops/cpu/winograd/winograd.h"
#include "ops/cpu/winograd/winograd_maps.h"
#include "ops/cpu/work_blocks.h"

namespace cellroute::ops::cpu {
namespace {

/** The largest integer of which `depth` products can be summed in 32 bits. */
int64_t largest_integer(int64_t depth) {
  const int64_t square = std::numeric_limits<int32_t>::max() / depth;
  return std::min<int64_t>(static_cast<int64_t>(std::sqrt(static_cast<double>(square))),
                           std::numeric_limits<int16_t>::max());
}

template <typename T>
using Uninitialised = std::unique_ptr<T[]>;

/** Per-thread scratch memory for a block. */
struct Scratch {
  Uninitialised<float> tile;        // [points][padded channels]
  Uninitialised<std::byte> values;  // [points][rows][bytes]
  Uninitialised<RowScale> scales;   // [points][rows]
  Uninitialised<float> products;    // [points][product plane]
};

/** One convolution: the data shared by all its blocks. */
struct Int16WinogradConvolution {
  const IntegerKernels& kernels;
  WinogradMaps<float> maps;
  const IntegerMatrix& weights;

  int64_t bytes() const { return row_bytes(maps.channels, kernels); }
  /** Rows are multiplied in whole groups, from the start of any range. */
  int64_t rows() const { return maps.blocks.largest() + kRowsPerStep; }

  Scratch scratch() const {
    const auto all = [this](int64_t per_point) { return maps.points * per_point; };
    return {.tile = std::make_unique_for_overwrite<float[]>(all(maps.padded_channels)),
            .values = std::make_unique_for_overwrite<std::byte[]>(all(rows() * bytes())),
            .scales = std::make_unique_for_overwrite<RowScale[]>(all(rows())),
            .products = std::make_unique_for_overwrite<float[]>(all(maps.product_plane()))};
  }

  /** One tile at a time: its points stay in the L1 cache until they are quantised. */
  void transform(const TileOrder& order, const Scratch& scratch) const {
    const auto largest = static_cast<float>(largest_integer(maps.channels));
    const auto all = order.list();
    for (int64_t t = 0; t < all.count; ++t) {
      const auto from = [&](int64_t kind) -> int64_t { return t < kind ? 1 : 0; };
      maps.transform({.tiles = all.tiles + t,
                      .whole = from(all.whole),
                      .right = from(all.right),
                      .corner = from(all.corner),
                      .count = 1},
                     scratch.tile.get(), maps.padded_channels);
      for (int64_t p = 0; p < maps.points; ++p) {
        const auto tiles = order.tiles_for_point(p);
        if (t < tiles.begin || t >= tiles.end) continue;
        const int64_t row = p * rows() + t;
        kernels.quantise({.values = scratch.tile.get() + p * maps.padded_channels,
                          .depth = maps.channels,
                          .levels = {.lowest = -largest, .levels = 2 * largest},
                          .words = scratch.values.get() + row * bytes(),
                          .scale = &scratch.scales[row]});
      }
    }
  }

  /** Computes `width` output channels from the k-th, at all points. */
  void multiply(const TileOrder& order, int64_t k, int64_t width, const Scratch& scratch) const {
    const int64_t words = row_words(maps.channels, kernels);
    for (int64_t p = 0; p < maps.points; ++p) {
      const auto tiles = order.tiles_for_point(p);
      const int64_t row = p * rows() + tiles.begin, column = p * maps.padded_out_channels + k;
      kernels.multiply(
          {.rows = scratch.values.get() + row * bytes(),
           .row_bytes = bytes(),
           .row_scales = scratch.scales.get() + row,
           .count = tiles.end - tiles.begin,
           .words = words,
           .weights = static_cast<const std::byte*>(weights.words.const_data_ptr()) +
                      column * words * kWordBytes,
           .steps = weights.steps.const_data_ptr<float>() + column,
           .sums = weights.sums.const_data_ptr<float>() + column,
           .columns = width,
           .bias = nullptr,
           .residual = nullptr,
           .relu = false,
           .out = scratch.products.get() + p * maps.product_plane() + tiles.begin * width,
           .stride = width});
    }
  }

  void run_block(int64_t block, const Scratch& scratch) const {
    const auto order = maps.order_of(block);
    transform(order, scratch);
    maps.for_each_group(order, scratch.products.get(),
                        [&](int64_t k, int64_t width) { multiply(order, k, width, scratch); });
  }
};

}  // namespace

PackedWinograd pack_int16_winograd(const at::Tensor& weight, int64_t side,
                                   const IntegerKernels& kernels) {
  const int64_t out = weight.size(0), in = weight.size(1);
  const auto filters = weight.permute({2, 3, 0, 1}).reshape({9, out * in});
  const auto points = at::mm(winograd_weight_transform(side), filters).view({-1, out, in});
  return {.in_channels = in,
          .out_channels = out,
          .side = side,
          .compute_dtype = at::kShort,
          .integers = pack_integers(points, largest_integer(in), kernels)};
}

at::Tensor int16_winograd_conv(const at::Tensor& input, const PackedWinograd& weights,
                               const at::Tensor& bias, const at::Tensor& residual, bool relu,
                               const IntegerKernels& kernels) {
  const auto output = empty_result(input, weights);
  if (output.numel() == 0) return output;

  const int64_t threads = loop_threads();
  const Int16WinogradConvolution convolution{
      .kernels = kernels,
      .maps = {**usable_kernels<float>(), weights, kernels.panel, input, bias, residual, relu,
               output,
               [&](int64_t tiles, int64_t /*points*/, int64_t /*channels*/) {
                 return WorkBlocks::shrinking(tiles, kOwnBlockTiles, kRowsPerStep, threads);
               }},
      .weights = weights.integers};
  const int64_t blocks = convolution.maps.blocks.blocks();
  BlockQueue queue(blocks);
  parallel_for(0, std::min(threads, blocks), 1, [&](int64_t, int64_t) {
    const auto scratch = convolution.scratch();
    queue.for_each([&](int64_t block) { convolution.run_block(block, scratch); });
  });
  return output;
}

}  // namespace cellroute::ops::cpu
