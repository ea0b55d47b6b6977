#include "ops/linear.h"

#include <memory>

#include "engine/cancel.h"
#include "tensors.h"

namespace linear_test {

namespace {

struct Case {
  torch::Tensor input, weight, bias, grad;
};

/** More rows than a block of the forward pass, and more outputs than one of the backward pass. */
Case large() {
  torch::manual_seed(3);
  const int64_t rows = 300, in = 4096, out = 2304;
  return {torch::randn({rows, in}).requires_grad_(), torch::randn({out, in}).requires_grad_(),
          torch::randn({out}).requires_grad_(), torch::randn({rows, out})};
}

/** In double, with the same numbers. */
Case doubled(const Case& one) {
  const auto to = [](const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kDouble).requires_grad_(tensor.requires_grad());
  };
  return {to(one.input), to(one.weight), to(one.bias), to(one.grad)};
}

bool is_close(const torch::Tensor& values, const torch::Tensor& expected) {
  return torch::allclose(values.to(torch::kDouble), expected, 1e-4, 2e-3);
}

}  // namespace

TEST_CASE("linear: values and gradients are those of torch::linear in double") {
  const auto ours = large();
  const auto reference = doubled(ours);
  const auto result = cellroute::ops::linear(ours.input, ours.weight, ours.bias);
  const auto expected = torch::linear(reference.input, reference.weight, reference.bias);
  CHECK(is_close(result, expected));
  result.backward(ours.grad);
  expected.backward(reference.grad);
  CHECK(is_close(ours.input.grad(), reference.input.grad()));
  CHECK(is_close(ours.weight.grad(), reference.weight.grad()));
  CHECK(is_close(ours.bias.grad(), reference.bias.grad()));
}

TEST_CASE("linear: no rows, and gradients that nobody needs") {
  const auto one = large();
  const auto none = torch::zeros({0, one.weight.size(1)});
  const auto result = cellroute::ops::linear(none, one.weight, one.bias);
  CHECK(result.sizes() == at::IntArrayRef({0, one.weight.size(0)}));
  result.sum().backward();
  CHECK(one.weight.grad().abs().max().item<float>() == 0.0F);
  const torch::NoGradGuard no_grad;
  CHECK_FALSE(cellroute::ops::linear(one.input, one.weight, one.bias).requires_grad());
}

TEST_CASE("linear: stops when it is cancelled, forward and backward") {
  const auto one = large();
  const auto flag = std::make_shared<cellroute::CancelFlag>();
  const cellroute::Cancellation cancellation({flag});
  const cellroute::CancelScope scope(&cancellation);
  const auto result = cellroute::ops::linear(one.input, one.weight, one.bias);
  flag->cancel();
  CHECK_THROWS_AS(cellroute::ops::linear(one.input, one.weight, one.bias), cellroute::Cancelled);
  CHECK_THROWS_AS(result.backward(one.grad), cellroute::Cancelled);
}

}  // namespace linear_test
