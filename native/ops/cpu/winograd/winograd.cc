#include "ops/cpu/winograd/winograd.h"

#include <ATen/native/CPUBlas.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "engine/parallel.h"
#include "ops/cpu/block_queue.h"
#include "ops/cpu/integer/int16_winograd.h"
#include "ops/cpu/padded_columns.h"
#include "ops/cpu/winograd/tile_order.h"
#include "ops/cpu/winograd/winograd_maps.h"
#include "ops/cpu/work_blocks.h"
#include "round_up.h"

namespace cellroute::ops::cpu {
namespace {

using at::native::cpublas::brgemm;

/** Constants that depend on the compute dtype. */
template <typename T>
struct Scheme;

template <>
struct Scheme<float> {
  using Scalar = float;
  static constexpr int64_t kBlockTiles = 96;
  static constexpr int64_t kBlockBytes = int64_t{8} << 20;    // of transformed input
  static constexpr int64_t kRowsPerStep = cpu::kRowsPerStep;  // LibTorch's too
  static constexpr bool kPairs = false;
};

template <>
struct Scheme<Bfloat16Bits> {
  using Scalar = at::BFloat16;
  static constexpr int64_t kBlockTiles = 128;
  static constexpr int64_t kBlockBytes = int64_t{4} << 20;
  static constexpr int64_t kRowsPerStep = 16;
  // Two rows of the right-hand matrix are interleaved, as the instructions require.
  static constexpr bool kPairs = true;
};

/** Number of tiles that fit the cache. */
template <typename T>
WorkBlocks blocks_of(const Kernels<T>& kernels, int64_t tiles, int64_t points, int64_t channels,
                     int64_t threads) {
  using S = Scheme<T>;
  const int64_t fitting = S::kBlockBytes / (points * channels * static_cast<int64_t>(sizeof(T)));
  if (kernels.multiply_rows != nullptr) {
    const int64_t max_tiles = std::clamp(fitting, S::kRowsPerStep * 2, kOwnBlockTiles);
    return WorkBlocks::shrinking(tiles, max_tiles, S::kRowsPerStep, threads);
  }
  // LibTorch's products always process whole blocks.
  const int64_t max_tiles = std::clamp(fitting, S::kRowsPerStep * 2, S::kBlockTiles);
  return WorkBlocks::even(tiles, max_tiles, S::kRowsPerStep, threads);
}

template <typename T>
T* bits_of(typename Scheme<T>::Scalar* data) {
  return reinterpret_cast<T*>(data);
}

template <typename T>
const T* bits_of(const typename Scheme<T>::Scalar* data) {
  return reinterpret_cast<const T*>(data);
}

/** One convolution: the data shared by all its blocks. */
template <typename T>
struct WinogradConvolution {
  using S = Scheme<T>;
  using Scalar = typename S::Scalar;

  const Kernels<T>& kernels;
  WinogradMaps<T> maps;
  const Scalar* weights;

  int64_t input_plane() const { return maps.blocks.largest() * maps.padded_channels + kPlaneGap; }

  /** Computes all points of `width` output channels. */
  void multiply(const TileOrder& order, int64_t width, const Scalar* transformed,
                const Scalar* group, float* products) const {
    if constexpr (std::is_same_v<T, float>) {
      if (kernels.multiply_rows != nullptr) {
        multiply_needed(order, width, transformed, group, products);
        return;
      }
    }
    const int64_t depth = maps.padded_channels;
    for (int64_t p = 0; p < maps.points; ++p) {
      // Always a whole block: tiles that do not need the point are multiplied and not read.
      brgemm(maps.blocks.largest(), width, depth, depth, width, width, /*add_C=*/false,
             transformed + p * input_plane(), group + p * depth * width,
             products + p * maps.product_plane(), S::kPairs);
    }
  }

  /** With our products, for the tiles that need a point. */
  void multiply_needed(const TileOrder& order, int64_t width, const float* transformed,
                       const float* group, float* products) const {
    const int64_t depth = maps.padded_channels;
    // Rows are read in whole groups, from the start of any range.
    std::array<const float*, kOwnBlockTiles + S::kRowsPerStep> rows;
    const int64_t last = maps.blocks.largest() - 1;
    for (int64_t t = 0; t <= last + S::kRowsPerStep; ++t) {
      rows.at(t) = transformed + std::min(t, last) * depth;
    }
    for (int64_t p = 0; p < maps.points; ++p) {
      const auto tiles = order.tiles_for_point(p);
      kernels.multiply_rows({.first = {rows.data() + tiles.begin, p * input_plane(), depth},
                             .second = {},
                             .count = tiles.end - tiles.begin,
                             .weights = group + p * depth * width,
                             .columns = width,
                             .bias = nullptr,
                             .residual = nullptr,
                             .relu = false,
                             .out = products + p * maps.product_plane() + tiles.begin * width,
                             .stride = width});
    }
  }

  /** Both scratch buffers have a plane for each point. */
  void run_block(int64_t block, Scalar* transformed, float* products) const {
    const auto order = maps.order_of(block);
    maps.transform(order.list(), bits_of<T>(transformed), input_plane());
    maps.for_each_group(order, products, [&](int64_t k, int64_t width) {
      multiply(order, width, transformed, weights + maps.points * maps.padded_channels * k,
               products);
    });
  }
};

}  // namespace

at::Tensor winograd_weight_transform(int64_t side) {
  // One row for each point p, as required by the products over the points: [1, p, p * p] divided by
  // the product of p's distances to the other points; infinity comes last.
  const auto values = [&]() -> at::Tensor {
    if (side == 2) {
      return at::tensor({1.0, 0.0, 0.0,   //
                         0.5, 0.5, 0.5,   //
                         0.5, -0.5, 0.5,  //
                         0.0, 0.0, 1.0},
                        at::kDouble);
    }
    constexpr double kNear2 = 25.0 / 64, kFar2 = 9.0 / 4;
    constexpr double kNorm = 1 / (2 * kNear2 * (kNear2 - kFar2));
    constexpr double kFarNorm = 1 / (2 * kFar2 * (kFar2 - kNear2));
    return at::tensor({1 / (kNear2 * kFar2), 0.0, 0.0,               //
                       kNorm, kNorm * 0.625, kNorm * kNear2,         //
                       kNorm, kNorm * -0.625, kNorm * kNear2,        //
                       kFarNorm, kFarNorm * 1.5, kFarNorm * kFar2,   //
                       kFarNorm, kFarNorm * -1.5, kFarNorm * kFar2,  //
                       0.0, 0.0, 1.0},
                      at::kDouble);
  }();
  const auto g = values.view({-1, 3});
  return at::kron(g, g).to(at::kFloat);
}

PackedWinograd pack_winograd(const at::Tensor& weight, at::ScalarType compute_dtype, int64_t side,
                             int64_t panel) {
  const bool is_float = compute_dtype == at::kFloat;
  const int64_t out = weight.size(0), in = weight.size(1);
  const int64_t padded_out = padded_columns(out, panel);
  const int64_t padded_in = round_up(in, kTileChannels);
  const auto transform = winograd_weight_transform(side);
  const int64_t points = transform.size(0);
  const auto packed = at::empty({points * padded_in * padded_out}, weight.options());
  // Groups of output channels, each stored as [points, in, group].
  for (int64_t k = 0; k < padded_out; k += kChannelGroup) {
    const int64_t width = std::min(kChannelGroup, padded_out - k);
    const int64_t filled = std::min(width, out - k);
    const auto filters = at::zeros({3, 3, padded_in, width}, weight.options());
    filters.narrow(2, 0, in)
        .narrow(3, 0, filled)
        .copy_(weight.narrow(0, k, filled).permute({2, 3, 1, 0}));
    auto group = packed.narrow(0, points * padded_in * k, points * padded_in * width)
                     .view({points, padded_in * width});
    // [9, in, width], or one panel after the other if the kernels need it.
    const auto columns =
        panel == 0
            ? filters
            : filters.view({9, padded_in, width / panel, panel}).transpose(1, 2).contiguous();
    at::mm_out(group, transform, columns.view({9, padded_in * width}));
    if (!is_float) {
      const auto pairs = group.view({points, padded_in / 2, 2, width}).transpose(2, 3).contiguous();
      group.copy_(pairs.view_as(group));
    }
  }
  return {.in_channels = in,
          .out_channels = out,
          .side = side,
          .compute_dtype = compute_dtype,
          .points = packed.to(compute_dtype)};
}

template <typename T>
at::Tensor winograd_conv_by(const Kernels<T>& kernels, const at::Tensor& input,
                            const PackedWinograd& weights, const at::Tensor& bias,
                            const at::Tensor& residual, bool relu) {
  using S = Scheme<T>;
  using Scalar = typename S::Scalar;
  const auto output = empty_result(input, weights);
  if (output.numel() == 0) return output;

  const int64_t threads = loop_threads();
  const WinogradConvolution<T> convolution{
      .kernels = kernels,
      .maps = {kernels, weights, kernels.panel, input, bias, residual, relu, output,
               [&](int64_t tiles, int64_t points, int64_t channels) {
                 return blocks_of(kernels, tiles, points, channels, threads);
               }},
      .weights = weights.points.const_data_ptr<Scalar>()};
  const int64_t points = convolution.maps.points;
  const auto transformed =
      at::empty({threads, points * convolution.input_plane()}, input.options());
  const auto products =
      at::empty({threads, points * convolution.maps.product_plane()}, bias.options());
  BlockQueue queue(convolution.maps.blocks.blocks());
  parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread) {
      auto* thread_input =
          transformed.template mutable_data_ptr<Scalar>() + thread * transformed.stride(0);
      auto* thread_products =
          products.template mutable_data_ptr<float>() + thread * products.stride(0);
      queue.for_each(
          [&](int64_t block) { convolution.run_block(block, thread_input, thread_products); });
      // Releases the matrix registers, which other kernels configure differently.
      at::native::cpublas::brgemm_release(S::kPairs);
    }
  });
  return output;
}

template at::Tensor winograd_conv_by(const Kernels<float>&, const at::Tensor&,
                                     const PackedWinograd&, const at::Tensor&, const at::Tensor&,
                                     bool);
template at::Tensor winograd_conv_by(const Kernels<Bfloat16Bits>&, const at::Tensor&,
                                     const PackedWinograd&, const at::Tensor&, const at::Tensor&,
                                     bool);

at::Tensor winograd_conv(const at::Tensor& input, const PackedWinograd& weights,
                         const at::Tensor& bias, const at::Tensor& residual, bool relu) {
  if (weights.compute_dtype == at::kShort) {
    return int16_winograd_conv(input, weights, bias, residual, relu);
  }
  if (weights.compute_dtype == at::kFloat) {
    return winograd_conv_by(**usable_kernels<float>(), input, weights, bias, residual, relu);
  }
  return winograd_conv_by(**usable_kernels<Bfloat16Bits>(), input, weights, bias, residual, relu);
}

}  // namespace cellroute::ops::cpu
