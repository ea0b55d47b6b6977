#include "ops/cpu/pointwise_conv.h"

#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/block_queue.h"
#include "ops/cpu/nearest.h"
#include "ops/cpu/padded_columns.h"
#include "ops/cpu/round_up.h"
#include "ops/cpu/work_blocks.h"

namespace cellroute::ops::cpu {
namespace {

// With LibTorch's products: pixels and output channels multiplied at once, whose products stay in
// the first cache. Its kernel takes six rows a time.
constexpr int64_t kRows = 96;
constexpr int64_t kGroup = 64;

// With ours: the input of a block is read once for each panel of weights, from the second cache.
constexpr int64_t kBlockBytes = int64_t{192} << 10;
constexpr int64_t kFewestPixels = 48;
constexpr int64_t kMostPixels = 192;

/** Where the pixels of the result lie in the input. */
struct Pixels {
  int64_t height, width;  // of the input
  int64_t rows, columns;  // of the result
  int64_t stride;

  int64_t source(int64_t pixel) const {
    const int64_t picture = pixel / (rows * columns), inside = pixel % (rows * columns);
    return (picture * height + inside / columns * stride) * width + inside % columns * stride;
  }
};

/** Of each of `to` places the nearest of `from`. */
std::vector<int64_t> nearest_sources(int64_t from, int64_t to) {
  std::vector<int64_t> sources(to);
  for (int64_t i = 0; i < to; ++i) sources[i] = nearest_source(i, from, to);
  return sources;
}

/** Where each pixel of the result finds what is added to it. */
class Residual {
 public:
  Residual(const torch::Tensor& maps, const torch::Tensor& output)
      : maps_(maps.const_data_ptr<float>()),
        channels_(maps.size(1)),
        height_(maps.size(2)),
        width_(maps.size(3)),
        rows_(nearest_sources(height_, output.size(2))),
        columns_(nearest_sources(width_, output.size(3))) {}

  const float* at(int64_t pixel) const {
    const auto height = static_cast<int64_t>(rows_.size());
    const auto width = static_cast<int64_t>(columns_.size());
    const int64_t line = pixel / width;
    const int64_t y = line / height * height_ + rows_[line % height];
    return maps_ + (y * width_ + columns_[pixel % width]) * channels_;
  }

 private:
  const float* maps_;
  int64_t channels_, height_, width_;
  std::vector<int64_t> rows_, columns_;
};

/** Maps that are convolved. */
struct Source {
  const float* maps;
  int64_t channels;
  Pixels pixels;

  const float* at(int64_t pixel) const { return maps + pixels.source(pixel) * channels; }
};

/** One convolution, or the sum of two: what all blocks share. */
struct Convolution {
  const Kernels<float>& kernels;
  Source first;
  std::optional<Source> second;
  int64_t count;  // pixels of the result
  int64_t out;
  const float *weights, *bias;
  const Residual* residual;
  bool relu;
  float* output;

  int64_t depth() const { return first.channels + (second ? second->channels : 0); }

  /** By our products: the rows from where they lie, and all that follows in the registers. */
  void run() const {
    const int64_t threads = loop_threads();
    const int64_t fitting = kBlockBytes / (depth() * static_cast<int64_t>(sizeof(float)));
    const int64_t most = std::clamp(fitting, kFewestPixels, kMostPixels);
    const auto blocks = WorkBlocks::shrinking(count, most, kRowsAtOnce, threads);
    BlockQueue queue(blocks.blocks());
    parallel_for(0, std::min(threads, blocks.blocks()), 1, [&](int64_t, int64_t) {
      std::vector<const float*> rows(blocks.largest()), more(blocks.largest()),
          sums(blocks.largest());
      queue.for_each(
          [&](int64_t b) { run_block(blocks.begin(b), blocks.end(b), rows, more, sums); });
    });
  }

  void run_block(int64_t begin, int64_t end, std::vector<const float*>& rows,
                 std::vector<const float*>& more, std::vector<const float*>& sums) const {
    const int64_t some = end - begin;
    for (int64_t r = 0; r < round_up(some, kRowsAtOnce); ++r) {
      // Behind the last pixel it is read once more.
      const int64_t pixel = begin + std::min(r, some - 1);
      rows[r] = first.at(pixel);
      if (second) more[r] = second->at(pixel);
      if (residual != nullptr) sums[r] = residual->at(pixel);
    }
    kernels.multiply_rows({.first = {rows.data(), 0, first.channels},
                           .second = {more.data(), 0, second ? second->channels : 0},
                           .count = some,
                           .weights = weights,
                           .columns = out,
                           .bias = bias,
                           .residual = residual == nullptr ? nullptr : sums.data(),
                           .relu = relu,
                           .out = output + begin * out,
                           .stride = out});
  }
};

/** By LibTorch's products; the residual is like the result, or undefined. */
void run_with_libtorch(const Convolution& conv, const float* added) {
  const int64_t in = conv.first.channels, out = conv.out;
  const int64_t padded = padded_columns(out, conv.kernels.panel);
  parallel_for(0, divide_up(conv.count, kRows), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> products(kRows * kGroup), gathered;
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kRows, rows = std::min(kRows, conv.count - first);
      const float* block_input = conv.first.maps + first * in;
      if (conv.first.pixels.stride > 1 || rows < kRows) {
        // Always whole blocks: LibTorch compiles a kernel for each size.
        gathered.resize(kRows * in);
        for (int64_t r = 0; r < rows; ++r) {
          std::memcpy(gathered.data() + r * in, conv.first.at(first + r),
                      static_cast<size_t>(in) * sizeof(float));
        }
        block_input = gathered.data();
      }
      for (int64_t k = 0; k < out; k += kGroup) {
        const int64_t width = std::min(kGroup, padded - k);
        at::native::cpublas::brgemm(kRows, width, in, in, width, width, /*add_C=*/false,
                                    block_input, conv.weights + in * k, products.data(),
                                    /*is_vnni=*/false);
        conv.kernels.finish_rows({.products = products.data(),
                                  .product_stride = width,
                                  .bias = conv.bias + k,
                                  .residual = added == nullptr ? nullptr : added + first * out + k,
                                  .out = conv.output + first * out + k,
                                  .stride = out,
                                  .rows = rows,
                                  .channels = std::min(kGroup, out - k),
                                  .relu = conv.relu});
      }
    }
    at::native::cpublas::brgemm_release(/*is_vnni=*/false);
  });
}

Source source(const torch::Tensor& input, int64_t stride, const torch::Tensor& output) {
  return {.maps = input.const_data_ptr<float>(),
          .channels = input.size(1),
          .pixels = {.height = input.size(2),
                     .width = input.size(3),
                     .rows = output.size(2),
                     .columns = output.size(3),
                     .stride = stride}};
}

int64_t pixels_of(const torch::Tensor& maps) { return maps.size(0) * maps.size(2) * maps.size(3); }

}  // namespace

torch::Tensor pack_pointwise_weight(const torch::Tensor& weight, int64_t panel) {
  const int64_t out = weight.size(0), in = weight.size(1);
  const int64_t padded = padded_columns(out, panel);
  const int64_t group = panel == 0 ? kGroup : panel;
  const auto packed = torch::zeros({in * padded}, weight.options());
  // A group of output channels after the other, each [in, group].
  for (int64_t k = 0; k < out; k += group) {
    const int64_t width = std::min(group, padded - k), filled = std::min(group, out - k);
    packed.narrow(0, in * k, in * width)
        .view({in, width})
        .narrow(1, 0, filled)
        .copy_(weight.narrow(0, k, filled).t());
  }
  return packed;
}

void pointwise_conv(const torch::Tensor& input, const PointwiseWeights& weights,
                    const torch::Tensor& bias, int64_t stride, const torch::Tensor& residual,
                    bool relu, torch::Tensor& output, const Kernels<float>& kernels) {
  std::optional<Residual> added;
  if (residual.defined()) added.emplace(residual, output);
  const auto with_padding = padded_bias(bias, kernels.panel);
  const Convolution convolution{.kernels = kernels,
                                .first = source(input, stride, output),
                                .second = std::nullopt,
                                .count = pixels_of(output),
                                .out = weights.out_channels(),
                                .weights = weights.packed().const_data_ptr<float>(),
                                .bias = with_padding.const_data_ptr<float>(),
                                .residual = added ? &*added : nullptr,
                                .relu = relu,
                                .output = output.mutable_data_ptr<float>()};
  if (kernels.multiply_rows != nullptr) {
    convolution.run();
    return;
  }
  const auto enlarged = residual.defined() && residual.sizes() != output.sizes()
                            ? torch::upsample_nearest2d(residual, output.sizes().slice(2))
                                  .contiguous(at::MemoryFormat::ChannelsLast)
                            : residual;
  run_with_libtorch(convolution, enlarged.defined() ? enlarged.const_data_ptr<float>() : nullptr);
}

void pointwise_conv_of_two(const torch::Tensor& first, const torch::Tensor& second, int64_t stride,
                           const PointwiseWeights& weights, const torch::Tensor& bias, bool relu,
                           torch::Tensor& output, const Kernels<float>& kernels) {
  const auto with_padding = padded_bias(bias, kernels.panel);
  Convolution{.kernels = kernels,
              .first = source(first, 1, output),
              .second = source(second, stride, output),
              .count = pixels_of(output),
              .out = weights.out_channels(),
              .weights = weights.packed().const_data_ptr<float>(),
              .bias = with_padding.const_data_ptr<float>(),
              .residual = nullptr,
              .relu = relu,
              .output = output.mutable_data_ptr<float>()}
      .run();
}

}  // namespace cellroute::ops::cpu
