#include "ops/pointwise_conv.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <array>
#include <memory>

#include "ops/activations.h"
#include "ops/cpu/integer/int8_pointwise_conv.h"
#include "ops/cpu/pointwise/pointwise_conv.h"
#include "round_up.h"

namespace cellroute::ops {
namespace {

void check(const at::Tensor& tensor, at::IntArrayRef sizes, const char* what,
           const char* op = "pointwise_conv") {
  TORCH_CHECK(
      tensor.sizes() == sizes && tensor.scalar_type() == at::kFloat && tensor.device().is_cpu(), op,
      ": ", what, " must be float32 ", sizes, " on the CPU, got ", tensor.scalar_type(), " ",
      tensor.sizes(), " on ", tensor.device());
}

void check_weights(at::TensorList weights) {
  for (const auto& weight : weights) {
    TORCH_CHECK(weight.dim() == 2 && weight.numel() > 0 && weight.scalar_type() == at::kFloat &&
                    weight.device().is_cpu(),
                "pointwise_conv: weight must be float32 [K, C] on the CPU, got ",
                weight.scalar_type(), " ", weight.sizes(), " on ", weight.device());
    TORCH_CHECK(weight.size(0) == weights.front().size(0),
                "pointwise_conv: weights must have as many output channels, got ", weight.size(0),
                " and ", weights.front().size(0));
  }
}

void convolve(at::TensorList maps, const PointwiseWeights& weights, const at::Tensor& bias,
              int64_t stride, const at::Tensor& residual, bool relu, at::Tensor& output) {
  const auto& packed = weights.packed();
  if (packed.slices.empty()) {
    cpu::pointwise_conv(maps, packed, bias, stride, residual, relu, output);
  } else {
    cpu::int8_pointwise_conv(maps, packed.slices, bias, stride, residual, relu, output);
  }
}

cpu::PackedPointwise pack(at::TensorList weights, at::ScalarType compute_dtype) {
  check_weights(weights);
  const at::NoGradGuard no_grad;
  const bool is_int8 = compute_dtype == at::kChar;
  TORCH_CHECK(is_int8 || compute_dtype == at::kFloat,
              "pointwise_conv: compute_dtype must be float32 or int8, got ", compute_dtype);
  if (!is_int8) {
    return cpu::pack_pointwise(weights.size() == 1 ? weights.front() : at::cat(weights, 1),
                               cpu::best_panel());
  }
  TORCH_CHECK(pointwise_conv_supports_int8(),
              "pointwise_conv: this processor has no products of int8");
  cpu::PackedPointwise packed{.out_channels = weights.front().size(0)};
  for (const auto& weight : weights) packed.in_channels += weight.size(1);
  packed.slices = cpu::pack_int8_weights(weights, **cpu::usable_int8_kernels());
  return packed;
}

}  // namespace

PointwiseWeights::PointwiseWeights(const at::Tensor& weight, at::ScalarType compute_dtype)
    : PointwiseWeights(at::TensorList(weight), compute_dtype) {}

PointwiseWeights::PointwiseWeights(at::TensorList weights, at::ScalarType compute_dtype)
    : packed_(std::make_shared<const cpu::PackedPointwise>(pack(weights, compute_dtype))) {}

int64_t PointwiseWeights::in_channels() const { return packed_->in_channels; }

int64_t PointwiseWeights::out_channels() const { return packed_->out_channels; }

at::ScalarType PointwiseWeights::compute_dtype() const {
  return packed_->slices.empty() ? at::kFloat : at::kChar;
}

bool pointwise_conv_supports_int8() { return *cpu::usable_int8_kernels() != nullptr; }

at::Tensor pointwise_conv(const at::Tensor& input, const PointwiseWeights& weights,
                          const at::Tensor& bias, int64_t stride, const at::Tensor& residual,
                          bool in_place, bool relu) {
  TORCH_CHECK(input.dim() == 4, "pointwise_conv: input must be [N, C, H, W], got ", input.sizes());
  TORCH_CHECK(stride > 0, "pointwise_conv: stride must be positive, got ", stride);
  check(input, {input.size(0), weights.in_channels(), input.size(2), input.size(3)}, "input");
  check(bias, {weights.out_channels()}, "bias");
  const at::NoGradGuard no_grad;
  const std::array<int64_t, 4> sizes{input.size(0), weights.out_channels(),
                                     divide_up(input.size(2), stride),
                                     divide_up(input.size(3), stride)};
  at::Tensor sum, output;
  if (residual.defined()) {
    TORCH_CHECK(residual.dim() == 4, "pointwise_conv: residual must be [N, K, h, w], got ",
                residual.sizes());
    check(residual, {sizes[0], sizes[1], residual.size(2), residual.size(3)}, "residual");
    sum = channels_last(residual);
    if (in_place && sum.sizes() == at::IntArrayRef(sizes)) output = sum;
  }
  if (!output.defined()) {
    output = at::empty(sizes, input.options(), at::MemoryFormat::ChannelsLast);
  }
  if (output.numel() == 0) return output;
  TORCH_CHECK(!sum.defined() || sum.numel() > 0, "pointwise_conv: residual has no pixels");
  convolve(channels_last(input), weights, bias, stride, sum, relu, output);
  return output;
}

bool has_pointwise_conv_of_two(at::ScalarType compute_dtype) {
  if (compute_dtype == at::kChar) return pointwise_conv_supports_int8();
  return compute_dtype == at::kFloat && cpu::best_panel() > 0;
}

at::Tensor pointwise_conv_of_two(const at::Tensor& a, const at::Tensor& b, int64_t stride,
                                 const PointwiseWeights& weights, const at::Tensor& bias,
                                 bool relu) {
  TORCH_CHECK(has_pointwise_conv_of_two(weights.compute_dtype()),
              "pointwise_conv_of_two: this processor's kernels have no products of their own");
  TORCH_CHECK(a.dim() == 4 && b.dim() == 4,
              "pointwise_conv_of_two: inputs must be [N, C, H, W], got ", a.sizes(), " and ",
              b.sizes());
  TORCH_CHECK(stride > 0, "pointwise_conv_of_two: stride must be positive, got ", stride);
  const int64_t channels = weights.in_channels() - a.size(1);
  constexpr auto kName = "pointwise_conv_of_two";
  check(a, {b.size(0), a.size(1), divide_up(b.size(2), stride), divide_up(b.size(3), stride)}, "a",
        kName);
  check(b, {b.size(0), channels, b.size(2), b.size(3)}, "b", kName);
  check(bias, {weights.out_channels()}, "bias", kName);
  const at::NoGradGuard no_grad;
  auto output = at::empty({a.size(0), weights.out_channels(), a.size(2), a.size(3)}, a.options(),
                          at::MemoryFormat::ChannelsLast);
  if (output.numel() == 0) return output;
  convolve({channels_last(a), channels_last(b)}, weights, bias, stride, {}, relu, output);
  return output;
}

}  // namespace cellroute::ops
