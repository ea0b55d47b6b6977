#include "ops/conv_relu.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/cudnn_convolution_add_relu.h>
#include <ATen/ops/cudnn_convolution_relu.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <vector>

namespace cellroute::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kGroups = 1;

struct ConvRelu : torch::autograd::Function<ConvRelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const std::optional<at::Tensor>& residual,
                            int64_t stride, int64_t padding) {
    auto y = conv_relu_values(x, weight, bias, residual.value_or(at::Tensor()), stride, padding);
    context->save_for_backward({x, weight, y});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["has_residual"] = residual.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &y = saved[2];
    const int64_t stride = context->saved_data["stride"].toInt();
    const int64_t padding = context->saved_data["padding"].toInt();
    // The gradient that passed the ReLU is the residual's gradient.
    const auto grad = at::threshold_backward(grads[0], y, 0);
    const auto [of_x, of_weight, of_bias] = at::convolution_backward(
        grad, x, weight, std::vector<int64_t>{weight.size(0)}, {stride, stride}, {padding, padding},
        /*dilation=*/{1, 1}, /*transposed=*/false, /*output_padding=*/{0, 0}, kGroups,
        {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2)});
    const auto none = at::Tensor();
    // An autograd node does not count an absent input, so there may be no fourth input to query.
    const bool for_residual =
        context->saved_data["has_residual"].toBool() && context->needs_input_grad(3);
    return {of_x, of_weight, of_bias, for_residual ? grad : none, none, none};
  }
};

}  // namespace

at::Tensor conv_relu_values(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& residual, int64_t stride, int64_t padding) {
  if (x.is_cuda()) {
    const std::vector<int64_t> strides{stride, stride}, paddings{padding, padding}, dilations{1, 1};
    if (!residual.defined()) {
      return at::cudnn_convolution_relu(x, weight, bias, strides, paddings, dilations, kGroups);
    }
    return at::cudnn_convolution_add_relu(x, weight, residual, 1.0, bias, strides, paddings,
                                          dilations, kGroups);
  }
  auto y = at::conv2d(x, weight, bias, stride, padding);
  if (residual.defined()) y.add_(residual);
  return y.relu_();
}

at::Tensor conv_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const at::Tensor& residual, int64_t stride, int64_t padding) {
  // An autograd node cannot take an undefined tensor.
  const auto added = residual.defined() ? std::optional(residual) : std::nullopt;
  return ConvRelu::apply(x, weight, bias, added, stride, padding);
}

}  // namespace cellroute::ops
