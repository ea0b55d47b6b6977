#include "ops/cpu/int16_winograd.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/block_queue.h"
#include "ops/cpu/padded_columns.h"
#include "ops/cpu/round_up.h"
#include "ops/cpu/tile_order.h"
#include "ops/cpu/winograd.h"
#include "ops/cpu/winograd_layout.h"
#include "ops/cpu/work_blocks.h"

namespace cellroute::ops::cpu {
namespace {

/** The largest integer of which `depth` products add up in 32 bits. */
int64_t largest_integer(int64_t depth) {
  const double fitting = static_cast<double>(std::numeric_limits<int32_t>::max()) / depth;
  return std::min<int64_t>(static_cast<int64_t>(std::sqrt(fitting)),
                           std::numeric_limits<int16_t>::max());
}

/** What a thread keeps of a block. */
struct Scratch {
  Scratch(int64_t points, int64_t tiles, int64_t channels, int64_t bytes)
      : tile(points * channels),
        // Rows are multiplied in whole groups, from wherever a range begins.
        values(points * (tiles + kRowsAtOnce) * bytes),
        scales(points * (tiles + kRowsAtOnce)),
        products(points * (tiles * kChannelGroup + kPlaneGap)) {}

  std::vector<float> tile;  // [points][channels]
  std::vector<std::byte> values;
  std::vector<RowScale> scales;
  std::vector<float> products;
};

/** One convolution: what all its blocks share. */
struct Convolution {
  const IntegerKernels& kernels;
  const TileTransforms<float>& transforms;
  TileGrid grid;
  int64_t points;
  WorkBlocks blocks;
  int64_t channels, padded_channels;
  int64_t out_channels, padded_out_channels;
  const float *input, *zeros, *residual;
  const IntegerMatrix& weights;
  const float* bias;
  bool relu;
  float* output;

  int64_t bytes() const { return row_bytes(padded_channels, kernels); }
  int64_t rows() const { return blocks.largest() + kRowsAtOnce; }
  int64_t product_plane() const { return blocks.largest() * kChannelGroup + kPlaneGap; }

  Scratch scratch() const { return {points, blocks.largest(), padded_channels, bytes()}; }

  /** A tile after the other: its points stay in the first cache until they are integers. */
  void transform(const TileOrder& order, Scratch& scratch) const {
    const auto largest = static_cast<float>(largest_integer(padded_channels));
    const auto all = order.list();
    for (int64_t t = 0; t < all.count; ++t) {
      const auto from = [&](int64_t kind) -> int64_t { return t < kind ? 1 : 0; };
      transforms.input({.maps = input,
                        .zeros = zeros,
                        .grid = grid,
                        .list = {.tiles = all.tiles + t,
                                 .whole = from(all.whole),
                                 .right = from(all.right),
                                 .corner = from(all.corner),
                                 .count = 1},
                        .channels = channels,
                        .out = scratch.tile.data(),
                        .padded = padded_channels,
                        .plane = padded_channels});
      for (int64_t p = 0; p < points; ++p) {
        const auto tiles = order.that_need(p);
        if (t < tiles.begin || t >= tiles.end) continue;
        const int64_t row = p * rows() + t;
        kernels.quantise({.values = scratch.tile.data() + p * padded_channels,
                          .depth = padded_channels,
                          .levels = {.least = -largest, .levels = 2 * largest},
                          .words = scratch.values.data() + row * bytes(),
                          .scale = &scratch.scales[row]});
      }
    }
  }

  /** `width` output channels from the k-th, at all points. */
  void multiply(const TileOrder& order, int64_t k, int64_t width, Scratch& scratch) const {
    const int64_t words = row_words(padded_channels, kernels);
    for (int64_t p = 0; p < points; ++p) {
      const auto tiles = order.that_need(p);
      const int64_t row = p * rows() + tiles.begin, column = p * padded_out_channels + k;
      kernels.multiply({.rows = scratch.values.data() + row * bytes(),
                        .row_bytes = bytes(),
                        .row_scales = scratch.scales.data() + row,
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
                        .out = scratch.products.data() + p * product_plane() + tiles.begin * width,
                        .stride = width});
    }
  }

  void run_block(int64_t block, Scratch& scratch) const {
    const int64_t first = blocks.begin(block);
    const auto order = TileOrder::by_kind(grid, first, blocks.end(block) - first);
    transform(order, scratch);
    for (int64_t k = 0; k < padded_out_channels; k += kChannelGroup) {
      const int64_t width = std::min(kChannelGroup, padded_out_channels - k);
      multiply(order, k, width, scratch);
      transforms.output({.products = scratch.products.data(),
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

}  // namespace

IntegerMatrix pack_int16_winograd_weight(const torch::Tensor& weight, int64_t side,
                                         const IntegerKernels& kernels) {
  const int64_t out = weight.size(0), in = weight.size(1);
  const int64_t padded_in = round_up(in, kTileChannels);
  const auto filters = weight.permute({2, 3, 0, 1}).reshape({9, out * in});
  const auto points = torch::mm(winograd_weight_transform(side), filters).view({-1, out, in});
  return pack_integers(torch::constant_pad_nd(points, {0, padded_in - in}),
                       largest_integer(padded_in), kernels);
}

torch::Tensor int16_winograd_conv(const torch::Tensor& input, const WinogradWeights& weights,
                                  const torch::Tensor& bias, const torch::Tensor& residual,
                                  bool relu, const IntegerKernels& kernels) {
  const int64_t height = input.size(2), width = input.size(3);
  const int64_t out_channels = weights.out_channels(), side = weights.side();
  auto output = torch::empty({input.size(0), out_channels, height, width}, input.options(),
                             at::MemoryFormat::ChannelsLast);
  if (output.numel() == 0) return output;

  const auto grid = tile_grid(height, width, side);
  const auto& transforms = **usable_kernels<float>();
  const int64_t threads = loop_threads();
  const auto zeros = torch::zeros({weights.in_channels()}, input.options());
  const auto with_padding = padded_bias(bias, kernels.panel);
  const Convolution convolution{
      .kernels = kernels,
      .transforms = side == 2 ? transforms.small_tiles : transforms.large_tiles,
      .grid = grid,
      .points = points_of(side),
      .blocks = WorkBlocks::shrinking(input.size(0) * grid.rows * grid.columns, kBlockTilesOfOurs,
                                      kRowsAtOnce, threads),
      .channels = weights.in_channels(),
      .padded_channels = round_up(weights.in_channels(), kTileChannels),
      .out_channels = out_channels,
      .padded_out_channels = padded_columns(out_channels, kernels.panel),
      .input = input.const_data_ptr<float>(),
      .zeros = zeros.const_data_ptr<float>(),
      .residual = residual.defined() ? residual.const_data_ptr<float>() : nullptr,
      .weights = weights.integers(),
      .bias = with_padding.const_data_ptr<float>(),
      .relu = relu,
      .output = output.mutable_data_ptr<float>()};
  BlockQueue queue(convolution.blocks.blocks());
  parallel_for(0, std::min(threads, convolution.blocks.blocks()), 1, [&](int64_t, int64_t) {
    auto scratch = convolution.scratch();
    queue.for_each([&](int64_t block) { convolution.run_block(block, scratch); });
  });
  return output;
}

}  // namespace cellroute::ops::cpu
