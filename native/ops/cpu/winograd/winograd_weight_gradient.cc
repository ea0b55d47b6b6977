#include "ops/cpu/winograd/winograd_weight_gradient.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "engine/cancel.h"
#include "engine/parallel.h"
#include "ops/cpu/winograd/tile_order.h"
#include "ops/cpu/winograd/winograd.h"
#include "round_up.h"

namespace cellroute::ops::cpu {
namespace {

constexpr int64_t kPoints = 36;
constexpr int64_t kSide = 4;
// Tiles per product: enough that the sums are rarely loaded, and few enough that a block's
// transforms stay in the cache.
constexpr int64_t kBlockTiles = 384;
constexpr int64_t kTilesPerStep = 16;  // tiles that a thread transforms at a time

/** Maps and the transforms of a block of their tiles: [points][tiles][padded channels]. */
struct Tiles {
  Tiles(const at::Tensor& of, const TileGrid& grid_of_maps, int64_t block)
      : maps(of),
        grid(grid_of_maps),
        padded(round_up(of.size(1), kTileChannels)),
        plane(block * padded),
        zeros(at::zeros({of.size(1)}, of.options())),
        transformed(at::empty({kPoints * plane}, of.options())) {}

  /** Stores the transforms as the block's tiles from `at` on. */
  InputTiles<float> some(const TileOrder& order, int64_t at) const {
    return {.maps = maps.const_data_ptr<float>(),
            .zeros = zeros.const_data_ptr<float>(),
            .grid = grid,
            .list = order.list(),
            .channels = maps.size(1),
            .out = transformed.mutable_data_ptr<float>() + at * padded,
            .padded = padded,
            .plane = plane};
  }

  /** [points, count, channels] */
  at::Tensor first(int64_t count) const {
    return transformed.view({kPoints, -1, padded}).narrow(1, 0, count).narrow(2, 0, maps.size(1));
  }

  const at::Tensor& maps;
  TileGrid grid;
  int64_t padded, plane;
  at::Tensor zeros, transformed;
};

}  // namespace

at::Tensor winograd_weight_gradient_by(const Kernels<float>& kernels, const at::Tensor& input,
                                       const at::Tensor& grad) {
  const int64_t in = input.size(1), out = grad.size(1);
  const int64_t height = input.size(2), width = input.size(3);
  const auto grid = tile_grid(height, width, kSide);
  const int64_t count = input.size(0) * grid.rows * grid.columns;
  const int64_t block = std::min(count, kBlockTiles);
  const Tiles inputs(input, grid, block), grads(grad, grid, block);
  // The gradient of each transformed weight: [points, out, in].
  const auto sums = at::zeros({kPoints, out, in}, input.options());

  for (int64_t first = 0; first < count; first += block) {
    throw_if_cancelled();
    const int64_t tiles = std::min(block, count - first);
    parallel_for(0, divide_up(tiles, kTilesPerStep), 1, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * kTilesPerStep;
      const int64_t some = std::min(end * kTilesPerStep, tiles) - at;
      const auto order = TileOrder::all_whole(first + at, some);
      kernels.large_tiles.input(inputs.some(order, at));
      kernels.gradient_tiles(grads.some(order, at));
    });
    sums.baddbmm_(grads.first(tiles).transpose(1, 2), inputs.first(tiles));
  }
  const auto weights = at::mm(winograd_weight_transform(kSide).t(), sums.view({kPoints, out * in}));
  return weights.view({3, 3, out, in}).permute({2, 3, 0, 1});
}

at::Tensor winograd_weight_gradient(const at::Tensor& input, const at::Tensor& grad) {
  return winograd_weight_gradient_by(**usable_kernels<float>(), input, grad);
}

}  // namespace cellroute::ops::cpu
