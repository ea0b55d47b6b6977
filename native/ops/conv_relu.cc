#include "ops/conv_relu.h"

#include <array>
#include <vector>

namespace cellroute::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kGroups = 1;
constexpr std::array<int64_t, 2> kDilation{1, 1};

struct ConvRelu : torch::autograd::Function<ConvRelu> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const std::optional<torch::Tensor>& residual, const std::vector<int64_t>& stride,
                               const std::vector<int64_t>& padding) {
    auto y = residual
                 ? at::cudnn_convolution_add_relu(x, weight, *residual, 1.0, bias, stride, padding,
                                                  kDilation, kGroups)
                 : at::cudnn_convolution_relu(x, weight, bias, stride, padding, kDilation, kGroups);
    context->save_for_backward({x, weight, y});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["residual"] = residual.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &y = saved[2];
    const auto grad = at::threshold_backward(grads[0], y, 0);
    const auto [of_x, of_weight, of_bias] = at::convolution_backward(
        grad, x, weight, at::OptionalIntArrayRef(weight.size(0)),
        context->saved_data["stride"].toIntVector(), context->saved_data["padding"].toIntVector(),
        kDilation, /*transposed=*/false, /*output_padding=*/{0, 0}, kGroups,
        {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2)});
    // The residual's is what passed the ReLU; stride and padding have none.
    return {of_x, of_weight, of_bias, context->needs_input_grad(3) ? grad : torch::Tensor(),
            {},   {}};
  }
};

}  // namespace

torch::Tensor conv_relu(const torch::Tensor& x, const torch::Tensor& weight,
                        const torch::Tensor& bias, const torch::Tensor& residual,
                        at::IntArrayRef stride, at::IntArrayRef padding) {
  // A node takes no undefined tensor.
  const auto added = residual.defined() ? std::optional(residual) : std::nullopt;
  return ConvRelu::apply(x, weight, bias, added, stride.vec(), padding.vec());
}

}  // namespace cellroute::ops
