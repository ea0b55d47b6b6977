#include "ops/pointwise_conv.h"

#include <algorithm>
#include <utility>

#include "ops/cpu/pointwise/pointwise_conv.h"
#include "pointwise_cases.h"
#include "tensors.h"

namespace pointwise_conv_test {

using cellroute::ops::pointwise_conv;
using cellroute::ops::PointwiseWeights;
using cellroute::test::kPointwiseCases;
using cellroute::test::PointwiseCase;
using cellroute::test::same;
using cellroute::test::with_threads;
namespace cpu = cellroute::ops::cpu;

namespace {

constexpr PointwiseCase kOddUnderStride{3, 20, 7, 9, 130, 2};

struct Layer {
  torch::Tensor input, weight, bias, residual;
  int64_t stride;
};

Layer layer(const PointwiseCase& c) {
  torch::manual_seed(c.in_channels + c.out_channels);
  const auto weight =
      torch::randn({c.out_channels, c.in_channels}) / std::sqrt(static_cast<double>(c.in_channels));
  const auto bias = torch::randn({c.out_channels});
  const auto input = torch::randn({c.images, c.in_channels, c.height, c.width});
  const auto residual = torch::randn_like(
      torch::conv2d(input, weight.view({c.out_channels, c.in_channels, 1, 1}), bias, c.stride));
  const auto last = at::MemoryFormat::ChannelsLast;
  return {input.contiguous(last), weight, bias, residual.contiguous(last), c.stride};
}

torch::Tensor reference(const Layer& l, bool with_residual, bool relu) {
  auto result = torch::conv2d(l.input.to(torch::kFloat64),
                              l.weight.view({l.weight.size(0), -1, 1, 1}).to(torch::kFloat64),
                              l.bias.to(torch::kFloat64), l.stride);
  if (with_residual) result += l.residual.to(torch::kFloat64);
  return relu ? result.relu() : result;
}

bool close(const torch::Tensor& actual, const torch::Tensor& expected) {
  return actual.sizes() == expected.sizes() &&
         torch::allclose(actual.to(torch::kFloat64), expected, 1e-5, 1e-5);
}

torch::Tensor run(const Layer& l) {
  return pointwise_conv(l.input, PointwiseWeights(l.weight), l.bias, l.stride, l.residual,
                        /*in_place=*/false, /*relu=*/true);
}

}  // namespace

TEST_CASE("1x1 convolution: every instruction set equals LibTorch in double") {
  for (const auto& c : kPointwiseCases) {
    const auto l = layer(c);
    for (const auto* const* kernels = cpu::usable_kernels<float>(); *kernels != nullptr;
         ++kernels) {
      const auto weights = cpu::pack_pointwise(l.weight, (*kernels)->panel);
      for (const bool relu : {false, true}) {
        auto plain = torch::empty_like(l.residual);
        cpu::pointwise_conv(l.input, weights, l.bias, l.stride, {}, relu, plain, **kernels);
        CHECK(close(plain, reference(l, false, relu)));
        auto sum = torch::empty_like(l.residual);
        cpu::pointwise_conv(l.input, weights, l.bias, l.stride, l.residual, relu, sum, **kernels);
        CHECK(close(sum, reference(l, true, relu)));
      }
    }
  }
}

TEST_CASE("1x1 convolution: in place only if requested") {
  auto l = layer(kOddUnderStride);
  const PointwiseWeights weights(l.weight);
  const auto expected = reference(l, true, true);
  const auto before = l.residual.clone();
  const auto apart =
      pointwise_conv(l.input, weights, l.bias, l.stride, l.residual, /*in_place=*/false, true);
  CHECK(same(l.residual, before));
  const auto sum =
      pointwise_conv(l.input, weights, l.bias, l.stride, l.residual, /*in_place=*/true, true);
  CHECK(sum.is_same(l.residual));
  CHECK(close(sum, expected));
  CHECK(same(sum, apart));
}

TEST_CASE("1x1 convolution: a residual of another size is sampled at the nearest pixel") {
  for (const auto& c : kPointwiseCases) {
    const auto l = layer(c);
    for (const auto& [h, w] : {std::pair<int64_t, int64_t>{1, 1}, {3, 2}, {4, 6}, {9, 31}}) {
      const auto coarse =
          torch::randn({c.images, c.out_channels, h, w}).contiguous(at::MemoryFormat::ChannelsLast);
      const auto expected =
          reference(l, false, false) +
          torch::upsample_nearest2d(coarse, l.residual.sizes().slice(2)).to(torch::kFloat64);
      for (const auto* const* kernels = cpu::usable_kernels<float>(); *kernels != nullptr;
           ++kernels) {
        const auto weights = cpu::pack_pointwise(l.weight, (*kernels)->panel);
        auto sum = torch::empty_like(l.residual);
        cpu::pointwise_conv(l.input, weights, l.bias, l.stride, coarse, false, sum, **kernels);
        CHECK(close(sum, expected));
      }
      const auto before = coarse.clone();
      const auto sum = pointwise_conv(l.input, PointwiseWeights(l.weight), l.bias, l.stride, coarse,
                                      /*in_place=*/true, /*relu=*/false);
      CHECK(close(sum, expected));
      const bool alike = coarse.sizes() == l.residual.sizes();
      CHECK((alike || same(coarse, before)));
    }
  }
}

TEST_CASE("1x1 convolution of two: each kernel and compute_dtype equals LibTorch's sum in double") {
  for (const auto& c : kPointwiseCases) {
    const auto first = layer({c.images, 24, c.height, c.width, c.out_channels, c.stride});
    const auto second = layer(c);
    const auto a = first.residual.narrow(1, 0, std::min<int64_t>(c.out_channels, 24))
                       .contiguous(at::MemoryFormat::ChannelsLast);
    const auto weight = torch::cat({first.weight.narrow(1, 0, a.size(1)), second.weight}, 1);
    const auto expected =
        (reference({a, weight.narrow(1, 0, a.size(1)), first.bias, {}, 1}, false, false) +
         reference(second, false, false))
            .relu();
    const auto bias = first.bias + second.bias;
    for (const auto* const* kernels = cpu::usable_kernels<float>(); *kernels != nullptr;
         ++kernels) {
      if ((*kernels)->multiply_rows == nullptr) continue;
      const auto weights = cpu::pack_pointwise(weight, (*kernels)->panel);
      auto sum = torch::empty_like(second.residual);
      cpu::pointwise_conv({a, second.input}, weights, bias, c.stride, {}, /*relu=*/true, sum,
                          **kernels);
      CHECK(close(sum, expected));
    }
    if (!cellroute::ops::has_pointwise_conv_of_two(torch::kFloat32)) continue;
    CHECK(close(cellroute::ops::pointwise_conv_of_two(a, second.input, c.stride,
                                                      PointwiseWeights(weight), bias, true),
                expected));
  }
}

TEST_CASE("1x1 convolution of two: empty inputs; results do not depend on layouts and threads") {
  if (!cellroute::ops::has_pointwise_conv_of_two(torch::kFloat32)) return;
  const PointwiseWeights weights(torch::randn({6, 7}));
  const auto bias = torch::randn({6});
  const auto run = [&](const torch::Tensor& a, const torch::Tensor& b) {
    return cellroute::ops::pointwise_conv_of_two(a, b, 2, weights, bias, true);
  };
  CHECK(run(torch::zeros({0, 3, 3, 3}), torch::zeros({0, 4, 5, 5})).numel() == 0);
  CHECK(run(torch::zeros({1, 3, 0, 3}), torch::zeros({1, 4, 0, 5})).numel() == 0);
  const auto a = torch::randn({2, 3, 8, 9}), b = torch::randn({2, 4, 16, 17});
  const auto expected = with_threads(1, [&] { return run(a, b); });
  const auto last = at::MemoryFormat::ChannelsLast;
  CHECK(
      same(with_threads(3, [&] { return run(a.contiguous(last), b.contiguous(last)); }), expected));
}

TEST_CASE("1x1 convolution of two refuses inconsistent sizes") {
  if (!cellroute::ops::has_pointwise_conv_of_two(torch::kFloat32)) return;
  const PointwiseWeights weights(torch::zeros({6, 7}));
  const auto a = torch::zeros({1, 3, 3, 3}), b = torch::zeros({1, 4, 5, 5}),
             bias = torch::zeros({6});
  const auto refused = [&](const torch::Tensor& one, const torch::Tensor& other, int64_t stride,
                           const torch::Tensor& added) {
    CHECK_THROWS_AS(
        cellroute::ops::pointwise_conv_of_two(one, other, stride, weights, added, false),
        c10::Error);
  };
  CHECK(cellroute::ops::pointwise_conv_of_two(a, b, 2, weights, bias, false).sizes() ==
        at::IntArrayRef({1, 6, 3, 3}));
  refused(a, b, 1, bias);
  refused(a, b, 0, bias);
  refused(torch::zeros({1, 4, 3, 3}), b, 2, bias);
  refused(torch::zeros({2, 3, 3, 3}), b, 2, bias);
  refused(a, b, 2, torch::zeros({7}));
}

TEST_CASE("1x1 convolution: results do not depend on layouts and threads") {
  auto l = layer(kOddUnderStride);
  const auto expected = with_threads(1, [&] { return run(l); });
  CHECK(same(with_threads(2, [&] { return run(l); }), expected));
  l.input = l.input.contiguous();
  l.residual = l.residual.contiguous();
  l.weight = l.weight.t().contiguous().t();
  CHECK(same(run(l), expected));
}

TEST_CASE("1x1 convolution: no images, no pixels") {
  const PointwiseWeights weights(torch::randn({5, 4}));
  const auto result = [&](at::IntArrayRef sizes) {
    return pointwise_conv(torch::empty(sizes), weights, torch::zeros({5}), 2, {}, false, true);
  };
  CHECK(result({0, 4, 6, 7}).sizes() == at::IntArrayRef({0, 5, 3, 4}));
  CHECK(result({2, 4, 0, 7}).sizes() == at::IntArrayRef({2, 5, 0, 4}));
}

TEST_CASE("1x1 convolution refuses inconsistent sizes and types") {
  const PointwiseWeights weights(torch::zeros({6, 4}));
  const auto map = torch::zeros({1, 4, 5, 5}), bias = torch::zeros({6});
  const auto refused = [&](const torch::Tensor& input, const torch::Tensor& b, int64_t stride,
                           const torch::Tensor& residual) {
    CHECK_THROWS_AS(pointwise_conv(input, weights, b, stride, residual, false, false), c10::Error);
  };
  refused(torch::zeros({1, 5, 5, 5}), bias, 1, {});
  refused(torch::zeros({4, 5, 5}), bias, 1, {});
  refused(map.to(torch::kBFloat16), bias, 1, {});
  refused(map, torch::zeros({4}), 1, {});
  refused(map, bias, 0, {});
  refused(map, bias, 2, torch::zeros({1, 4, 3, 3}));
  refused(map, bias, 2, torch::zeros({2, 6, 3, 3}));
  refused(map, bias, 2, torch::zeros({1, 6, 0, 3}));
  CHECK_THROWS_AS(PointwiseWeights(torch::zeros({6, 4, 1, 1})), c10::Error);
  CHECK_THROWS_AS(PointwiseWeights(torch::zeros({6, 0})), c10::Error);
}

}  // namespace pointwise_conv_test
