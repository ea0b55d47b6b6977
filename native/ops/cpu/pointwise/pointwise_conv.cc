#include "ops/cpu/pointwise/pointwise_conv.h"

#include <ATen/native/CPUBlas.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/padded_columns.h"
#include "ops/cpu/pointwise/pixel_rows.h"
#include "ops/cpu/pointwise/row_blocks.h"
#include "round_up.h"

namespace cellroute::ops::cpu {
namespace {

// With LibTorch's products: pixels and output channels per multiplication, chosen so that the
// products stay in the L1 cache. Its kernel processes six rows at a time.
constexpr int64_t kRows = 96;
constexpr int64_t kGroup = 64;

/** One convolution or the sum of two: the data shared by all blocks. */
struct PointwiseConvolution {
  const Kernels<float>& kernels;
  std::vector<PixelRows> inputs;  // one or two
  int64_t count;                  // pixels of the result
  int64_t out;
  const float *weights, *bias;
  const ResidualRows* residual;
  bool relu;
  float* output;

  const PixelRows& first() const { return inputs.front(); }
  const PixelRows* second() const { return inputs.size() > 1 ? &inputs[1] : nullptr; }

  int64_t depth() const {
    return first().channels() + (second() == nullptr ? 0 : second()->channels());
  }

  /** The positions of a block's rows. */
  struct RowPointers {
    explicit RowPointers(int64_t count) : first(count), second(count), residual(count) {}

    std::vector<const float*> first, second, residual;
  };

  /** With our products: rows are read in place, and the remaining operations happen in
   *  registers. */
  void run() const {
    for_each_row_block(
        count, depth() * static_cast<int64_t>(sizeof(float)),
        [](int64_t rows) { return RowPointers(rows); },
        [&](int64_t begin, int64_t end, RowPointers& pointers) {
          run_block(begin, end, pointers);
        });
  }

  void run_block(int64_t begin, int64_t end, RowPointers& pointers) const {
    const int64_t some = end - begin;
    for (int64_t r = 0; r < round_up(some, kRowsPerStep); ++r) {
      // Rows after the last pixel repeat it.
      const int64_t pixel = begin + std::min(r, some - 1);
      pointers.first[r] = first().at(pixel);
      if (second() != nullptr) pointers.second[r] = second()->at(pixel);
      if (residual != nullptr) pointers.residual[r] = residual->at(pixel);
    }
    kernels.multiply_rows({.first = {pointers.first.data(), 0, first().channels()},
                           .second = {pointers.second.data(), 0, depth() - first().channels()},
                           .count = some,
                           .weights = weights,
                           .columns = out,
                           .bias = bias,
                           .residual = residual == nullptr ? nullptr : pointers.residual.data(),
                           .relu = relu,
                           .out = output + begin * out,
                           .stride = out});
  }
};

/** With LibTorch's products. The residual has the result's shape or is undefined. */
void run_with_libtorch(const PointwiseConvolution& conv, const float* added) {
  const int64_t in = conv.first().channels(), out = conv.out;
  const int64_t padded = padded_columns(out, conv.kernels.panel);
  parallel_for(0, divide_up(conv.count, kRows), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> products(kRows * kGroup), gathered;
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kRows, rows = std::min(kRows, conv.count - first);
      const float* block_input = conv.first().at(first);
      if (!conv.first().dense() || rows < kRows) {
        // Always whole blocks: LibTorch compiles a kernel for each size.
        gathered.resize(kRows * in);
        for (int64_t r = 0; r < rows; ++r) {
          std::memcpy(gathered.data() + r * in, conv.first().at(first + r),
                      static_cast<size_t>(in) * sizeof(float));
        }
        block_input = gathered.data();
      }
      for (int64_t k = 0; k < out; k += kGroup) {
        const int64_t width = std::min(kGroup, padded - k);
        at::native::cpublas::brgemm(kRows, width, in, in, width, width, /*add_C=*/false,
                                    block_input, conv.weights + in * k, products.data(),
                                    /*is_vnni=*/false);
        conv.kernels.apply_epilogue(
            {.products = products.data(),
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

}  // namespace

PackedPointwise pack_pointwise(const at::Tensor& weight, int64_t panel) {
  const int64_t out = weight.size(0), in = weight.size(1);
  const int64_t padded = padded_columns(out, panel);
  const int64_t group = panel == 0 ? kGroup : panel;
  const auto packed = at::zeros({in * padded}, weight.options());
  // Groups of output channels, each stored as [in, group].
  for (int64_t k = 0; k < out; k += group) {
    const int64_t width = std::min(group, padded - k), filled = std::min(group, out - k);
    packed.narrow(0, in * k, in * width)
        .view({in, width})
        .narrow(1, 0, filled)
        .copy_(weight.narrow(0, k, filled).t());
  }
  return {.in_channels = in, .out_channels = out, .panels = packed};
}

void pointwise_conv(at::TensorList inputs, const PackedPointwise& weights, const at::Tensor& bias,
                    int64_t stride, const at::Tensor& residual, bool relu, at::Tensor& output,
                    const Kernels<float>& kernels) {
  std::optional<ResidualRows> added;
  if (residual.defined()) added.emplace(residual, output);
  const auto with_padding = padded_bias(bias, kernels.panel);
  const PointwiseConvolution convolution{.kernels = kernels,
                                         .inputs = pixel_rows(inputs, stride, output),
                                         .count = pixels_of(output),
                                         .out = weights.out_channels,
                                         .weights = weights.panels.const_data_ptr<float>(),
                                         .bias = with_padding.const_data_ptr<float>(),
                                         .residual = added ? &*added : nullptr,
                                         .relu = relu,
                                         .output = output.mutable_data_ptr<float>()};
  if (kernels.multiply_rows != nullptr) {
    convolution.run();
    return;
  }
  const auto enlarged = residual.defined() && residual.sizes() != output.sizes()
                            ? at::upsample_nearest2d(residual, output.sizes().slice(2))
                                  .contiguous(at::MemoryFormat::ChannelsLast)
                            : residual;
  run_with_libtorch(convolution, enlarged.defined() ? enlarged.const_data_ptr<float>() : nullptr);
}

}  // namespace cellroute::ops::cpu
