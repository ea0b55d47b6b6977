#include "ops/cpu/integer/int8_pointwise_conv.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "ops/cpu/padded_columns.h"
#include "ops/cpu/pointwise/pixel_rows.h"
#include "ops/cpu/pointwise/row_blocks.h"
#include "round_up.h"

namespace cellroute::ops::cpu {
namespace {

// A panel of a slice's weights and a few groups of rows fit the L2 cache.
constexpr int64_t kMaxChannels = 2048;

constexpr Levels kByte{.lowest = 0, .levels = 255};
constexpr int64_t kMaxWeight = 127;
static_assert(kMaxChannels * 255 * kMaxWeight <= std::numeric_limits<int32_t>::max());

/** A slice's values for the rows of a block. */
struct Block {
  Block(int64_t rows, int64_t bytes) : values(rows * bytes), scales(rows), residual(rows) {}

  std::vector<std::byte> values;
  std::vector<RowScale> scales;
  std::vector<const float*> residual;
};

struct Int8PointwiseConvolution {
  const IntegerKernels& kernels;
  std::vector<PixelRows> inputs;
  const std::vector<Int8Slice>& slices;
  int64_t count;  // pixels of the result
  int64_t out;
  const float* bias;
  const ResidualRows* residual;
  bool relu;
  float* output;

  int64_t largest_row() const {
    int64_t largest = 0;
    for (const auto& slice : slices) {
      largest = std::max(largest, row_bytes(slice.channels, kernels));
    }
    return largest;
  }

  void run() const {
    const int64_t bytes = largest_row();
    for_each_row_block(
        count, bytes, [&](int64_t rows) { return Block(rows, bytes); },
        [&](int64_t begin, int64_t end, Block& block) {
          for (size_t s = 0; s < slices.size(); ++s) run_block(s, begin, end - begin, block);
        });
  }

  /** Adds a slice's products to the partial result of the slices before it. */
  void run_block(size_t s, int64_t begin, int64_t some, Block& block) const {
    const auto& slice = slices[s];
    const bool first = s == 0, last = s + 1 == slices.size();
    const int64_t bytes = row_bytes(slice.channels, kernels);
    const auto& input = inputs[slice.input];
    for (int64_t r = 0; r < some; ++r) {
      kernels.quantise({.values = input.at(begin + r) + slice.first_channel,
                        .depth = slice.channels,
                        .levels = kByte,
                        .words = block.values.data() + r * bytes,
                        .scale = &block.scales[r]});
      if (!first) {
        block.residual[r] = output + (begin + r) * out;
      } else if (residual != nullptr) {
        block.residual[r] = residual->at(begin + r);
      }
    }
    kernels.multiply(
        {.rows = block.values.data(),
         .row_bytes = bytes,
         .row_scales = block.scales.data(),
         .count = some,
         .words = row_words(slice.channels, kernels),
         .weights = static_cast<const std::byte*>(slice.weights.words.const_data_ptr()),
         .steps = slice.weights.steps.const_data_ptr<float>(),
         .sums = slice.weights.sums.const_data_ptr<float>(),
         .columns = out,
         .bias = first ? bias : nullptr,
         .residual = first && residual == nullptr ? nullptr : block.residual.data(),
         .relu = relu && last,
         .out = output + begin * out,
         .stride = out});
  }
};

}  // namespace

std::vector<Int8Slice> pack_int8_weights(at::TensorList weights, const IntegerKernels& kernels) {
  std::vector<Int8Slice> slices;
  for (size_t input = 0; input < weights.size(); ++input) {
    const auto& weight = weights[input];
    const int64_t channels = weight.size(1), parts = divide_up(channels, kMaxChannels);
    const int64_t slice = round_up(divide_up(channels, parts), kQuantisedDepth);
    for (int64_t from = 0; from < channels; from += slice) {
      const int64_t count = std::min(slice, channels - from);
      slices.push_back(
          {.input = static_cast<int64_t>(input),
           .first_channel = from,
           .channels = count,
           .weights = pack_integers(weight.narrow(1, from, count), kMaxWeight, kernels)});
    }
  }
  return slices;
}

void int8_pointwise_conv(at::TensorList inputs, const std::vector<Int8Slice>& slices,
                         const at::Tensor& bias, int64_t stride, const at::Tensor& residual,
                         bool relu, at::Tensor& output, const IntegerKernels& kernels) {
  std::optional<ResidualRows> added;
  if (residual.defined()) added.emplace(residual, output);
  const auto with_padding = padded_bias(bias, kernels.panel);
  Int8PointwiseConvolution{.kernels = kernels,
                           .inputs = pixel_rows(inputs, stride, output),
                           .slices = slices,
                           .count = pixels_of(output),
                           .out = output.size(1),
                           .bias = with_padding.const_data_ptr<float>(),
                           .residual = added ? &*added : nullptr,
                           .relu = relu,
                           .output = output.mutable_data_ptr<float>()}
      .run();
}

}  // namespace cellroute::ops::cpu
