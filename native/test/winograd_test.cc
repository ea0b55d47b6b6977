#include "ops/cpu/winograd/winograd.h"

#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <limits>
#include <vector>

#include "ops/activations.h"
#include "ops/cpu/integer/int16_winograd.h"
#include "ops/cpu/winograd/winograd_weight_gradient.h"
#include "ops/winograd_conv.h"
#include "tensors.h"

namespace winograd_test {

using cellroute::ops::winograd_conv;
using cellroute::ops::winograd_supports;
using cellroute::ops::WinogradWeights;
using cellroute::test::same;
using cellroute::test::with_threads;
namespace cpu = cellroute::ops::cpu;

namespace {

struct Case {
  int64_t images, in_channels, height, width, out_channels;
};

// Maps of one tile and less, sizes that are not multiples of a tile, channels that do not fill a
// vector, more than one group of channels, images whose tiles share a block.
constexpr std::array<Case, 10> kCases{{
    {1, 16, 8, 8, 16},
    {1, 1, 1, 1, 1},
    {2, 3, 1, 7, 5},
    {1, 17, 5, 1, 33},
    {3, 20, 7, 9, 70},
    {1, 64, 13, 22, 130},
    {5, 32, 14, 14, 48},
    {1, 8, 67, 50, 24},
    {1, 256, 6, 11, 256},
    {1, 530, 3, 4, 16},
}};

struct Layer {
  torch::Tensor input, weight, bias, residual;
};

torch::Tensor channels_last(const torch::Tensor& maps) {
  return maps.contiguous(at::MemoryFormat::ChannelsLast);
}

Layer layer(const Case& c, torch::ScalarType dtype = torch::kFloat32) {
  torch::manual_seed(c.in_channels + c.out_channels);
  const auto weight = torch::randn({c.out_channels, c.in_channels, 3, 3}) /
                      std::sqrt(9.0 * static_cast<double>(c.in_channels));
  return {channels_last(torch::randn({c.images, c.in_channels, c.height, c.width})).to(dtype),
          weight, torch::randn({c.out_channels}),
          channels_last(torch::randn({c.images, c.out_channels, c.height, c.width})).to(dtype)};
}

/** LibTorch's direct convolution, in double. */
torch::Tensor reference(const Layer& l, bool with_residual, bool relu) {
  auto result = torch::conv2d(l.input.to(torch::kFloat64), l.weight.to(torch::kFloat64),
                              l.bias.to(torch::kFloat64), 1, 1);
  if (with_residual) result += l.residual.to(torch::kFloat64);
  return relu ? result.relu() : result;
}

/** Largest difference as a share of the largest value. */
double error(const torch::Tensor& actual, const torch::Tensor& expected) {
  CHECK(actual.sizes() == expected.sizes());
  const auto largest = expected.abs().max().item<double>();
  return (actual.to(torch::kFloat64) - expected).abs().max().item<double>() / largest;
}

double tolerance(torch::ScalarType compute_dtype) {
  if (compute_dtype == torch::kFloat32) return 3e-5;
  return compute_dtype == torch::kInt16 ? 6e-3 : 2e-2;
}

/** Type of the products, and side of a tile. */
struct Form {
  torch::ScalarType compute_dtype;
  int64_t side;

  torch::ScalarType maps() const { return cellroute::ops::activation_dtype(compute_dtype); }
};

std::vector<Form> supported() {
  std::vector<Form> forms{{torch::kFloat32, 4}, {torch::kFloat32, 2}};
  if (winograd_supports(torch::kBFloat16)) forms.push_back({torch::kBFloat16, 2});
  if (winograd_supports(torch::kInt16)) {
    forms.push_back({torch::kInt16, 4});
    forms.push_back({torch::kInt16, 2});
  }
  return forms;
}

template <typename T>
void check_every_transform(torch::ScalarType dtype, int64_t side) {
  for (const auto* const* kernels = cpu::usable_kernels<T>(); *kernels != nullptr; ++kernels) {
    for (const auto& c : kCases) {
      const auto l = layer(c, dtype);
      const auto weights = cpu::pack_winograd(l.weight, dtype, side, (*kernels)->panel);
      for (const bool relu : {false, true}) {
        const auto plain = cpu::winograd_conv_by(**kernels, l.input, weights, l.bias, {}, relu);
        CHECK(error(plain, reference(l, false, relu)) < tolerance(dtype));
        const auto sum =
            cpu::winograd_conv_by(**kernels, l.input, weights, l.bias, l.residual, relu);
        CHECK(error(sum, reference(l, true, relu)) < tolerance(dtype));
      }
    }
  }
}

torch::Tensor run(const Layer& l, const Form& form) {
  return winograd_conv(l.input, WinogradWeights(l.weight, form.compute_dtype, form.side), l.bias,
                       l.residual, true);
}

}  // namespace

TEST_CASE("winograd: every instruction set equals the direct convolution in double") {
  check_every_transform<float>(torch::kFloat32, 4);
  check_every_transform<float>(torch::kFloat32, 2);
  check_every_transform<cpu::Bfloat16Bits>(torch::kBFloat16, 2);
}

TEST_CASE("winograd with integers: every instruction set is close, and tiles are independent") {
  for (const auto* const* kernels = cpu::usable_int16_kernels(); *kernels != nullptr; ++kernels) {
    for (const int64_t side : {2, 4}) {
      for (const auto& c : kCases) {
        const auto l = layer(c);
        const auto weights = cpu::pack_int16_winograd(l.weight, side, **kernels);
        CHECK((weights.compute_dtype == torch::kInt16));
        const auto run = [&](const torch::Tensor& input, const torch::Tensor& residual, bool relu) {
          return cpu::int16_winograd_conv(input, weights, l.bias, residual, relu, **kernels);
        };
        CHECK(error(run(l.input, {}, false), reference(l, false, false)) <
              tolerance(torch::kInt16));
        const auto sum = run(l.input, l.residual, true);
        CHECK(error(sum, reference(l, true, true)) < tolerance(torch::kInt16));
        const int64_t last = c.images - 1;
        CHECK(same(run(channels_last(l.input.narrow(0, last, 1)),
                       channels_last(l.residual.narrow(0, last, 1)), true),
                   sum.narrow(0, last, 1)));
      }
    }
  }
}

TEST_CASE(
    "winograd with integers: the largest sums do not overflow; non-finite rows are contained") {
  if (!winograd_supports(torch::kInt16)) return;
  for (const int64_t channels : {256, 530}) {
    // All products at each point are the largest integers with the same sign.
    const auto sign = torch::ones({channels});
    sign.slice(0, 0, channels, 2).neg_();
    const auto input = channels_last(sign.view({1, -1, 1, 1}).expand({1, channels, 10, 10}));
    const auto weight = sign.view({1, -1, 1, 1}).expand({32, channels, 3, 3}).contiguous();
    for (const int64_t side : {2, 4}) {
      const WinogradWeights weights(weight, torch::kInt16, side);
      const auto run = [&](const torch::Tensor& x) {
        return winograd_conv(x, weights, torch::zeros({32}), {}, false);
      };
      const auto inner = run(input).slice(2, 1, 9).slice(3, 1, 9);
      const auto expected = 9 * static_cast<double>(channels);
      CHECK(((inner - expected).abs() < 2e-3 * expected).all().item<bool>());
      for (const float strange :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        auto broken = input.clone(at::MemoryFormat::ChannelsLast);
        broken[0][0][0][0] = strange;
        const auto result = run(broken);
        CHECK(result[0].slice(1, 0, 2).slice(2, 0, 2).isnan().all().item<bool>());
        CHECK_FALSE(result[0].slice(1, 5).isnan().any().item<bool>());
      }
    }
  }
}

TEST_CASE("winograd: an identity filter in every position shifts the map") {
  const auto map = torch::arange(1, 1 + 6 * 7, torch::kFloat32).view({1, 1, 6, 7});
  const auto padded = torch::constant_pad_nd(map, {1, 1, 1, 1});
  for (int64_t y = 0; y < 3; ++y) {
    for (int64_t x = 0; x < 3; ++x) {
      auto weight = torch::zeros({1, 1, 3, 3});
      weight[0][0][y][x] = 1;
      for (const int64_t side : {2, 4}) {
        const auto shifted = winograd_conv(map, WinogradWeights(weight, torch::kFloat32, side),
                                           torch::zeros({1}), {}, false);
        CHECK(torch::allclose(shifted, padded.narrow(2, y, 6).narrow(3, x, 7), 1e-5, 1e-4));
      }
    }
  }
}

TEST_CASE("winograd: the result is channels-last with the input's type") {
  for (const auto& form : supported()) {
    const auto result = run(layer(kCases[4], form.maps()), form);
    CHECK((result.scalar_type() == form.maps()));
    CHECK(result.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
}

TEST_CASE("winograd: results do not depend on layouts and threads") {
  for (const auto& form : supported()) {
    for (const auto& c : {kCases[4], kCases[7]}) {
      auto l = layer(c, form.maps());
      const auto expected = with_threads(1, [&] { return run(l, form); });
      CHECK(same(with_threads(2, [&] { return run(l, form); }), expected));
      CHECK(same(with_threads(3, [&] { return run(l, form); }), expected));
      l.input = l.input.contiguous();
      l.residual = l.residual.contiguous();
      l.weight = channels_last(l.weight);
      CHECK(same(run(l, form), expected));
      l.input = torch::constant_pad_nd(l.input, {2, 1}).narrow(3, 2, c.width);
      CHECK(same(run(l, form), expected));
    }
  }
}

TEST_CASE("winograd: no images, no pixels") {
  for (const auto& form : supported()) {
    const WinogradWeights weights(torch::randn({5, 4, 3, 3}), form.compute_dtype, form.side);
    for (const auto& sizes : {std::vector<int64_t>{0, 4, 6, 6}, {2, 4, 0, 6}, {2, 4, 6, 0}}) {
      const auto result =
          winograd_conv(torch::empty(sizes, form.maps()), weights, torch::zeros({5}), {}, true);
      CHECK(result.sizes() == at::IntArrayRef({sizes[0], 5, sizes[2], sizes[3]}));
    }
  }
}

TEST_CASE("winograd: NaN is visible in the results of its tiles") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& form : supported()) {
    auto l = layer({2, 16, 12, 12, 16}, form.maps());
    l.input[0][3][6][6] = kNan;
    const auto result = run(l, form);
    CHECK(result[0].narrow(1, 5, 3).narrow(2, 5, 3).isnan().all().item<bool>());
    CHECK_FALSE(result[1].isnan().any().item<bool>());
    CHECK_FALSE(result[0].narrow(1, 0, 1).isnan().any().item<bool>());
  }
}

TEST_CASE("winograd: gradients equal those of the direct convolution in double") {
  for (const auto& c : kCases) {
    const auto l = layer(c);
    const auto upstream = torch::randn_like(l.residual);
    const auto leaf = [](const torch::Tensor& value) {
      return value.clone().detach().requires_grad_(true);
    };
    const auto x = leaf(l.input), w = leaf(l.weight), b = leaf(l.bias);
    winograd_conv(x, w, b).backward(upstream);
    const auto dx = leaf(l.input.to(torch::kFloat64)), dw = leaf(l.weight.to(torch::kFloat64)),
               db = leaf(l.bias.to(torch::kFloat64));
    torch::conv2d(dx, dw, db, 1, 1).backward(upstream.to(torch::kFloat64));
    CHECK(error(x.grad(), dx.grad()) < 3e-5);
    CHECK(error(w.grad(), dw.grad()) < 3e-5);
    CHECK(error(b.grad(), db.grad()) < 3e-5);
  }
}

TEST_CASE("winograd: every instruction set computes the weight gradient, for any number of tiles") {
  const auto check = [](const Case& c) {
    const auto l = layer(c);
    const auto w = l.weight.to(torch::kFloat64).requires_grad_(true);
    torch::conv2d(l.input.to(torch::kFloat64), w, {}, 1, 1)
        .backward(l.residual.to(torch::kFloat64));
    for (const auto* const* kernels = cpu::usable_kernels<float>(); *kernels != nullptr;
         ++kernels) {
      const auto gradient = cpu::winograd_weight_gradient_by(**kernels, l.input, l.residual);
      CHECK(error(gradient, w.grad()) < 3e-5);
    }
  };
  for (const auto& c : kCases) check(c);
  // More than one block of tiles, with a remainder.
  check({2, 8, 90, 130, 20});
}

TEST_CASE("winograd: computes only the requested gradients; no bias") {
  const auto l = layer(kCases[4]);
  const auto w = l.weight.clone().requires_grad_(true);
  const auto result = winograd_conv(l.input, w, {});
  CHECK(error(result.detach(), torch::conv2d(l.input.to(torch::kFloat64),
                                             l.weight.to(torch::kFloat64), {}, 1, 1)) < 3e-5);
  result.sum().backward();
  CHECK(w.grad().defined());
  CHECK_FALSE(winograd_conv(l.input, l.weight, l.bias).requires_grad());
}

TEST_CASE("winograd: second derivatives are refused") {
  const auto l = layer(kCases[2]);
  const auto x = l.input.clone().requires_grad_(true);
  const auto result = winograd_conv(x, l.weight, l.bias).square().sum();
  CHECK_THROWS_AS(torch::autograd::grad({result}, {x}, {}, /*retain_graph=*/true,
                                        /*create_graph=*/true),
                  c10::Error);
}

TEST_CASE("winograd refuses inconsistent sizes and types") {
  const auto map = torch::zeros({1, 4, 5, 5});
  const WinogradWeights weights(torch::zeros({6, 4, 3, 3}), torch::kFloat32, 4);
  const auto bias = torch::zeros({6});
  const auto refused = [&](const torch::Tensor& input, const torch::Tensor& b,
                           const torch::Tensor& residual) {
    CHECK_THROWS_AS(winograd_conv(input, weights, b, residual, false), c10::Error);
  };
  refused(torch::zeros({1, 5, 5, 5}), bias, {});
  refused(torch::zeros({4, 5, 5}), bias, {});
  refused(map.to(torch::kFloat64), bias, {});
  refused(map, torch::zeros({4}), {});
  refused(map, bias.to(torch::kFloat64), {});
  refused(map, bias, map);
  const auto no_weights = [](at::IntArrayRef sizes, torch::ScalarType compute_dtype, int64_t side) {
    CHECK_THROWS_AS(WinogradWeights(torch::zeros(sizes), compute_dtype, side), c10::Error);
  };
  no_weights({6, 4, 1, 1}, torch::kFloat32, 4);
  no_weights({0, 4, 3, 3}, torch::kFloat32, 4);
  no_weights({6, 4, 3, 3}, torch::kFloat16, 2);
  no_weights({6, 4, 3, 3}, torch::kBFloat16, 4);
  no_weights({6, 4, 3, 3}, torch::kFloat32, 3);
  CHECK_THROWS_AS(winograd_conv(map, torch::zeros({6, 5, 3, 3}), bias), c10::Error);
}

}  // namespace winograd_test
