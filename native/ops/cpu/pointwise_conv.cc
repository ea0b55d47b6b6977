#include "ops/cpu/pointwise_conv.h"

#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/round_up.h"

namespace cellroute::ops::cpu {
namespace {

// Pixels and output channels multiplied at once: their products stay in the first cache. LibTorch's
// kernel takes six rows a time.
constexpr int64_t kRows = 96;
constexpr int64_t kGroup = 64;

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

}  // namespace

torch::Tensor pack_pointwise_weight(const torch::Tensor& weight) {
  const int64_t out = weight.size(0), in = weight.size(1);
  const int64_t padded = round_up(out, kTileChannels);
  const auto packed = torch::zeros({in * padded}, weight.options());
  // A group of output channels after the other, each [in, group].
  for (int64_t k = 0; k < out; k += kGroup) {
    const int64_t width = std::min(kGroup, padded - k), filled = std::min(kGroup, out - k);
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
  const int64_t in = weights.in_channels(), out = weights.out_channels();
  const int64_t padded = round_up(out, kTileChannels);
  const Pixels pixels{.height = input.size(2),
                      .width = input.size(3),
                      .rows = output.size(2),
                      .columns = output.size(3),
                      .stride = stride};
  const int64_t count = input.size(0) * pixels.rows * pixels.columns;
  const auto padded_bias = torch::zeros({padded}, bias.options());
  padded_bias.narrow(0, 0, out).copy_(bias);
  const auto* from = input.const_data_ptr<float>();
  const auto* packed = weights.packed().const_data_ptr<float>();
  const auto* biases = padded_bias.const_data_ptr<float>();
  const auto* added = residual.defined() ? residual.const_data_ptr<float>() : nullptr;
  auto* to = output.mutable_data_ptr<float>();

  const int64_t blocks = divide_up(count, kRows);
  parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> products(kRows * kGroup), gathered;
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kRows, rows = std::min(kRows, count - first);
      const float* block_input = from + first * in;
      if (stride > 1 || rows < kRows) {
        // Always whole blocks: LibTorch compiles a kernel for each size.
        gathered.resize(kRows * in);
        for (int64_t r = 0; r < rows; ++r) {
          std::memcpy(gathered.data() + r * in, from + pixels.source(first + r) * in,
                      static_cast<size_t>(in) * sizeof(float));
        }
        block_input = gathered.data();
      }
      for (int64_t k = 0; k < out; k += kGroup) {
        const int64_t width = std::min(kGroup, padded - k);
        at::native::cpublas::brgemm(kRows, width, in, in, width, width, /*add_C=*/false,
                                    block_input, packed + in * k, products.data(),
                                    /*is_vnni=*/false);
        kernels.finish_rows({.products = products.data(),
                             .product_stride = width,
                             .bias = biases + k,
                             .residual = added == nullptr ? nullptr : added + first * out + k,
                             .out = to + first * out + k,
                             .stride = out,
                             .rows = rows,
                             .channels = std::min(kGroup, out - k),
                             .relu = relu});
      }
    }
    at::native::cpublas::brgemm_release(/*is_vnni=*/false);
  });
}

}  // namespace cellroute::ops::cpu
