#include "model/convolution.h"

#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "model/norm.h"
#include "tensors.h"

namespace convolution_test {

using namespace cellroute::model;
namespace nn = torch::nn;

namespace {

struct Layer {
  nn::Conv2d conv;
  nn::AnyModule norm;

  std::vector<torch::Tensor> parameters() const {
    auto all = conv->parameters();
    for (const auto& parameter : norm.ptr()->parameters()) all.push_back(parameter);
    return all;
  }
};

Layer layer(NormKind kind, int64_t in, int64_t out, int64_t size, int64_t stride) {
  torch::manual_seed(6);
  Layer result{
      nn::Conv2d(nn::Conv2dOptions(in, out, size).stride(stride).padding(size / 2).bias(false)),
      make_norm({.kind = kind, .eps = 1e-3, .groups = 4}, out)};
  const torch::NoGradGuard no_grad;
  for (auto& value : result.norm.ptr()->parameters()) value.copy_(torch::rand_like(value) + 0.5);
  for (auto& value : result.norm.ptr()->buffers()) {
    if (value.is_floating_point()) value.copy_(torch::rand_like(value) + 0.5);
  }
  return result;
}

bool close(const torch::Tensor& a, const torch::Tensor& b) {
  const auto largest = b.abs().max().item<double>();
  return torch::allclose(a, b, 0, 1e-4 * largest);
}

void check(NormKind kind, bool training) {
  for (const auto& [in, out, size, stride] :
       {std::array<int64_t, 4>{40, 48, 3, 1}, {6, 8, 3, 2}, {16, 8, 1, 1}, {3, 8, 7, 2}}) {
    auto [conv, norm] = layer(kind, in, out, size, stride);
    norm.ptr()->train(training);
    auto leaves = Layer{conv, norm}.parameters();
    leaves.push_back(torch::randn({2, in, 13, 18}).requires_grad_(true));
    const auto& x = leaves.back();
    const auto statistics = norm.ptr()->buffers();
    std::vector<torch::Tensor> before;
    for (const auto& buffer : statistics) before.push_back(buffer.clone());

    const auto expected = norm.forward(conv(x));
    const auto upstream = torch::randn_like(expected);
    const auto gradients = torch::autograd::grad({expected}, leaves, {upstream});
    std::vector<torch::Tensor> moved;
    {
      const torch::NoGradGuard no_grad;
      for (size_t i = 0; i < statistics.size(); ++i) {
        moved.push_back(statistics[i].clone());
        statistics[i].copy_(before[i]);
      }
    }

    const auto result = convolve_and_normalize(*conv, *norm.ptr(), x);
    CHECK(close(result, expected));
    const auto ours = torch::autograd::grad({result}, leaves, {upstream});
    for (size_t i = 0; i < leaves.size(); ++i) CHECK(close(ours[i], gradients[i]));
    for (size_t i = 0; i < statistics.size(); ++i) {
      CHECK(torch::allclose(statistics[i], moved[i], 1e-4, 1e-5));
    }
  }
}

}  // namespace

TEST_CASE("a convolution with a folded norm equals the two separate layers") {
  SUBCASE("frozen") { check(NormKind::kFrozenBatch, true); }
  SUBCASE("batch norm in evaluation mode with trainable weights") {
    check(NormKind::kBatch, false);
  }
  SUBCASE("batch norm in training") { check(NormKind::kBatch, true); }
  SUBCASE("group norm") { check(NormKind::kGroup, true); }
}

TEST_CASE("a convolution of an empty batch") {
  const auto [conv, norm] = layer(NormKind::kFrozenBatch, 40, 48, 3, 1);
  CHECK(convolve_and_normalize(*conv, *norm.ptr(), torch::empty({0, 40, 7, 9})).sizes() ==
        at::IntArrayRef({0, 48, 7, 9}));
}

}  // namespace convolution_test
