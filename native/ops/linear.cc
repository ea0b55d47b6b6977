#include "ops/linear.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "engine/cancel.h"

namespace cellroute::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/** Calls compute(begin, count) for blocks of the rows of a product. */
template <typename F>
void for_each_block(int64_t rows, int64_t depth, int64_t columns, F&& compute) {
  // About 20 milliseconds on two cores. Fewer rows would read the right-hand matrix too often.
  constexpr int64_t kProducts = int64_t{1} << 31;
  constexpr int64_t kMinRows = 128;
  const int64_t block = std::max(kMinRows, kProducts / std::max<int64_t>(depth * columns, 1));
  for (int64_t begin = 0; begin < rows; begin += block) {
    throw_if_cancelled();
    compute(begin, std::min(block, rows - begin));
  }
}

at::Tensor product(const at::Tensor& left, const at::Tensor& right) {
  auto result = at::empty({left.size(0), right.size(1)}, left.options());
  for_each_block(left.size(0), left.size(1), right.size(1), [&](int64_t begin, int64_t count) {
    auto block = result.narrow(0, begin, count);
    at::mm_out(block, left.narrow(0, begin, count), right);
  });
  return result;
}

struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight, const at::Tensor& bias) {
    context->save_for_backward({input, weight});
    auto result = at::empty({input.size(0), weight.size(0)}, input.options());
    const auto right = weight.t();
    for_each_block(input.size(0), right.size(0), right.size(1), [&](int64_t begin, int64_t count) {
      auto block = result.narrow(0, begin, count);
      at::addmm_out(block, bias, input.narrow(0, begin, count), right);
    });
    return result;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1], &grad = grads[0];
    variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = product(grad, weight);
    if (context->needs_input_grad(1)) result[1] = product(grad.t(), input);
    if (context->needs_input_grad(2)) result[2] = grad.sum(0);
    return result;
  }
};

bool is_float32(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

}  // namespace

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  if (!is_float32(input)) return at::linear(input, weight, bias);
  return Linear::apply(input, weight, bias);
}

}  // namespace cellroute::ops
