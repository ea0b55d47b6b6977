#include "ops/winograd_conv.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <memory>

#include "ops/activations.h"
#include "ops/cpu/integer/int16_winograd.h"
#include "ops/cpu/winograd/winograd.h"
#include "ops/cpu/winograd/winograd_weight_gradient.h"

namespace cellroute::ops {
namespace {

void check_input(const at::Tensor& input, int64_t channels, at::ScalarType type) {
  TORCH_CHECK(input.dim() == 4 && input.size(1) == channels, "winograd_conv: input must be [N, ",
              channels, ", H, W], got ", input.sizes());
  TORCH_CHECK(input.scalar_type() == type, "winograd_conv: input must be ", type, ", got ",
              input.scalar_type());
  TORCH_CHECK(input.device().is_cpu(), "winograd_conv: input must be on the CPU, got ",
              input.device());
}

void check_bias(const at::Tensor& bias, int64_t channels) {
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == channels && bias.scalar_type() == at::kFloat,
              "winograd_conv: bias must be float32 [", channels, "], got ", bias.scalar_type(), " ",
              bias.sizes());
  TORCH_CHECK(bias.device().is_cpu(), "winograd_conv: bias must be on the CPU, got ",
              bias.device());
}

void check_weight(const at::Tensor& weight) {
  TORCH_CHECK(weight.dim() == 4 && weight.size(0) > 0 && weight.size(1) > 0 &&
                  weight.size(2) == 3 && weight.size(3) == 3,
              "winograd_conv: weight must be [K, C, 3, 3], got ", weight.sizes());
  TORCH_CHECK(weight.scalar_type() == at::kFloat, "winograd_conv: weight must be float32, got ",
              weight.scalar_type());
  TORCH_CHECK(weight.device().is_cpu(), "winograd_conv: weight must be on the CPU, got ",
              weight.device());
}

cpu::PackedWinograd pack(const at::Tensor& weight, at::ScalarType compute_dtype, int64_t side) {
  TORCH_CHECK(winograd_supports(compute_dtype), "winograd_conv: this processor has no products of ",
              compute_dtype);
  check_weight(weight);
  TORCH_CHECK(side == 2 || side == 4, "winograd_conv: a tile's side must be 2 or 4, got ", side);
  TORCH_CHECK(compute_dtype != at::kBFloat16 || side == 2,
              "winograd_conv: bfloat16 requires tiles of 2, got ", side);
  const at::NoGradGuard no_grad;
  if (compute_dtype == at::kShort) {
    return cpu::pack_int16_winograd(weight, side, **cpu::usable_int16_kernels());
  }
  const int64_t panel = compute_dtype == at::kFloat ? cpu::best_panel() : 0;
  return cpu::pack_winograd(weight, compute_dtype, side, panel);
}

at::Tensor no_bias(int64_t channels) { return at::zeros({channels}, at::kFloat); }

at::Tensor convolve(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  return winograd_conv(input, WinogradWeights(weight, at::kFloat, /*side=*/4), bias, {},
                       /*relu=*/false);
}

class WinogradConv : public torch::autograd::Function<WinogradConv> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& input,
                            const at::Tensor& weight, const at::Tensor& bias) {
    ctx->save_for_backward({input, weight});
    return convolve(input, weight, bias);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "winograd_conv: second derivatives are not supported");
    const auto saved = ctx->get_saved_variables();
    const auto& input = saved[0];
    const auto& weight = saved[1];
    const auto grad = channels_last(grads[0]);
    torch::autograd::variable_list result(3);
    // The gradient of the input is the same convolution with the filters rotated by 180 degrees.
    if (ctx->needs_input_grad(0)) {
      result[0] = convolve(grad, weight.flip({2, 3}).transpose(0, 1), no_bias(weight.size(1)));
    }
    if (ctx->needs_input_grad(1)) {
      result[1] = cpu::winograd_weight_gradient(input, grad);
    }
    if (ctx->needs_input_grad(2)) result[2] = grad.sum({0, 2, 3});
    return result;
  }
};

}  // namespace

WinogradWeights::WinogradWeights(const at::Tensor& weight, at::ScalarType compute_dtype,
                                 int64_t side)
    : packed_(std::make_shared<const cpu::PackedWinograd>(pack(weight, compute_dtype, side))) {}

int64_t WinogradWeights::in_channels() const { return packed_->in_channels; }

int64_t WinogradWeights::out_channels() const { return packed_->out_channels; }

int64_t WinogradWeights::side() const { return packed_->side; }

at::ScalarType WinogradWeights::compute_dtype() const { return packed_->compute_dtype; }

bool winograd_supports(at::ScalarType compute_dtype) {
  if (compute_dtype == at::kFloat) return true;
  if (compute_dtype == at::kShort) return *cpu::usable_int16_kernels() != nullptr;
  return compute_dtype == at::kBFloat16 && *cpu::usable_kernels<cpu::Bfloat16Bits>() != nullptr;
}

int64_t fastest_winograd_side(int64_t in_channels, int64_t out_channels,
                              at::ScalarType compute_dtype) {
  // With fewer channels the transforms cost more than the saved products; with more, the
  // transformed weights no longer fit any cache, those of large tiles first.
  constexpr int64_t kMinChannels = 32;
  constexpr int64_t kMaxLargeTileWeights = int64_t{384} * 384;
  constexpr int64_t kMaxSmallTileWeights = int64_t{512} * 512;
  const int64_t weights = in_channels * out_channels;
  if (!winograd_supports(compute_dtype) || std::min(in_channels, out_channels) < kMinChannels)
    return 0;
  if (compute_dtype != at::kBFloat16) {
    if (weights <= kMaxLargeTileWeights) return 4;
    // Float32 with LibTorch's products was not measured.
    const bool has_small = compute_dtype == at::kShort || cpu::best_panel() > 0;
    return weights <= kMaxSmallTileWeights && has_small ? 2 : 0;
  }
  // With matrix registers (AMX) a direct convolution is faster than the transforms of the tiles.
  return weights <= kMaxLargeTileWeights && !cpu::has_matrix_registers() ? 2 : 0;
}

at::Tensor winograd_conv(const at::Tensor& input, const WinogradWeights& weights,
                         const at::Tensor& bias, const at::Tensor& residual, bool relu) {
  check_input(input, weights.in_channels(), activation_dtype(weights.compute_dtype()));
  check_bias(bias, weights.out_channels());
  const std::array<int64_t, 4> sizes{input.size(0), weights.out_channels(), input.size(2),
                                     input.size(3)};
  if (residual.defined()) {
    TORCH_CHECK(residual.sizes() == at::IntArrayRef(sizes) &&
                    residual.scalar_type() == input.scalar_type() && residual.device().is_cpu(),
                "winograd_conv: residual must be ", input.scalar_type(), " ",
                at::IntArrayRef(sizes), ", got ", residual.scalar_type(), " ", residual.sizes());
  }
  const at::NoGradGuard no_grad;
  return cpu::winograd_conv(channels_last(input), weights.packed(), bias,
                            residual.defined() ? channels_last(residual) : residual, relu);
}

at::Tensor winograd_conv(const at::Tensor& input, const at::Tensor& weight,
                         const at::Tensor& bias) {
  check_weight(weight);
  check_input(input, weight.size(1), at::kFloat);
  if (bias.defined()) check_bias(bias, weight.size(0));
  return WinogradConv::apply(channels_last(input), weight,
                             bias.defined() ? bias : no_bias(weight.size(0)));
}

}  // namespace cellroute::ops
