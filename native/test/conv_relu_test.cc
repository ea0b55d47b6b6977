#include "ops/conv_relu.h"

#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "tensors.h"

namespace conv_relu_test {

using cellroute::ops::conv_relu;

namespace {

/** x, weight, bias and a residual with the shape of the result. */
std::vector<torch::Tensor> inputs(int64_t images, int64_t side, int64_t stride) {
  torch::manual_seed(side + stride);
  const auto wide = torch::dtype(torch::kFloat64);
  const int64_t padding = side / 2;
  const auto out = [&](int64_t length) { return (length + 2 * padding - side) / stride + 1; };
  return {torch::randn({images, 6, 11, 9}, wide), torch::randn({8, 6, side, side}, wide),
          torch::randn({8}, wide), torch::randn({images, 8, out(11), out(9)}, wide)};
}

/** The separate operations, with LibTorch's own gradients. */
torch::Tensor by_steps(const std::vector<torch::Tensor>& in, bool with_residual, int64_t stride) {
  const auto y = torch::conv2d(in[0], in[1], in[2], stride, in[1].size(2) / 2);
  return (with_residual ? y + in[3] : y).relu();
}

torch::Tensor at_once(const std::vector<torch::Tensor>& in, bool with_residual, int64_t stride) {
  return conv_relu(in[0], in[1], in[2], with_residual ? in[3] : torch::Tensor(), stride,
                   in[1].size(2) / 2);
}

}  // namespace

TEST_CASE("convolution with ReLU: values and gradients equal those of the separate operations") {
  for (const int64_t side : {1, 3, 7}) {
    for (const int64_t stride : {1, 2}) {
      for (const bool with_residual : {false, true}) {
        auto in = inputs(2, side, stride);
        for (auto& leaf : in) leaf.set_requires_grad(true);
        if (!with_residual) in.pop_back();
        const auto expected = by_steps(in, with_residual, stride);
        const auto result = at_once(in, with_residual, stride);
        CHECK(torch::equal(result, expected));
        const auto upstream = torch::randn_like(expected);
        const auto ours = torch::autograd::grad({result}, in, {upstream});
        const auto gradients = torch::autograd::grad({expected}, in, {upstream});
        for (size_t i = 0; i < in.size(); ++i) CHECK(torch::allclose(ours[i], gradients[i]));
      }
    }
  }
}

TEST_CASE("convolution with ReLU: frozen inputs get no gradient, all others do") {
  for (size_t trained = 0; trained < 4; ++trained) {
    auto in = inputs(1, 3, 1);
    in[trained].set_requires_grad(true);
    const auto expected = torch::autograd::grad({by_steps(in, true, 1).sum()}, {in[trained]});
    at_once(in, true, 1).sum().backward();
    for (size_t i = 0; i < in.size(); ++i) CHECK(in[i].grad().defined() == (i == trained));
    CHECK(torch::allclose(in[trained].grad(), expected[0]));
  }
}

TEST_CASE("convolution with ReLU: a result that is also the residual of a later one") {
  auto in = inputs(2, 3, 1);
  for (auto& leaf : in) leaf.set_requires_grad(true);
  const auto chain = [&](const auto& layer) {
    const auto first = layer(in, true, int64_t{1});
    const auto narrowed = first.narrow(1, 0, 6);
    return layer({narrowed, in[1], in[2], first}, true, int64_t{1});
  };
  const auto ours = torch::autograd::grad({chain(at_once).square().sum()}, in);
  const auto expected = torch::autograd::grad({chain(by_steps).square().sum()}, in);
  for (size_t i = 0; i < in.size(); ++i) CHECK(torch::allclose(ours[i], expected[i]));
}

TEST_CASE("convolution with ReLU: no images") {
  auto in = inputs(0, 3, 2);
  for (auto& leaf : in) leaf.set_requires_grad(true);
  const auto result = at_once(in, true, 2);
  CHECK(result.sizes() == at::IntArrayRef({0, 8, 6, 5}));
  result.sum().backward();
  CHECK(in[1].grad().abs().sum().item<double>() == 0);
}

}  // namespace conv_relu_test
