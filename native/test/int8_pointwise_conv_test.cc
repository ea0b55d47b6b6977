#include "ops/cpu/integer/int8_pointwise_conv.h"

#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "ops/cpu/pointwise/pointwise_conv.h"
#include "ops/pointwise_conv.h"
#include "pointwise_cases.h"
#include "tensors.h"

namespace int8_pointwise_conv_test {

using cellroute::ops::pointwise_conv;
using cellroute::ops::pointwise_conv_of_two;
using cellroute::ops::PointwiseWeights;
using cellroute::test::kPointwiseCases;
using cellroute::test::same;
using cellroute::test::with_threads;
namespace cpu = cellroute::ops::cpu;

namespace {

bool supported() { return cellroute::ops::pointwise_conv_supports_int8(); }

torch::Tensor maps(at::IntArrayRef sizes) {
  return torch::randn(sizes).contiguous(at::MemoryFormat::ChannelsLast);
}

torch::Tensor weight(int64_t out, int64_t in) {
  return torch::randn({out, in}) / std::sqrt(static_cast<double>(in));
}

/** A slice [rows, channels] rounded to 8 bits in the range of each row, in double. */
torch::Tensor rounded_values(const torch::Tensor& rows) {
  const auto least = rows.amin(1, true);
  const auto step = (rows.amax(1, true) - least) / 255;
  const auto integers = ((rows - least) * (1 / step)).round().nan_to_num();
  return integers.to(torch::kFloat64) * step + least;
}

torch::Tensor rounded_weights(const torch::Tensor& rows) {
  const auto step = rows.abs().amax(1, true) / 127;
  return (rows / step).round().to(torch::kFloat64) * step;
}

/** Slow reference: the convolution of the rounded values and weights, slice by slice. */
torch::Tensor reference(const torch::Tensor& input, const torch::Tensor& weight, int64_t stride) {
  const auto strided = torch::max_pool2d(input, 1, stride);
  const auto rows = strided.permute({0, 2, 3, 1}).reshape({-1, input.size(1)});
  auto sum = torch::zeros({rows.size(0), weight.size(0)}, torch::kFloat64);
  // Slices are equal up to whole groups of 16 channels.
  const int64_t parts = (rows.size(1) + 2047) / 2048;
  const int64_t most = ((rows.size(1) + parts - 1) / parts + 15) / 16 * 16;
  for (int64_t from = 0; from < rows.size(1); from += most) {
    const int64_t some = std::min(most, rows.size(1) - from);
    sum += rounded_values(rows.narrow(1, from, some))
               .matmul(rounded_weights(weight.narrow(1, from, some)).t());
  }
  return sum.view({strided.size(0), strided.size(2), strided.size(3), -1}).permute({0, 3, 1, 2});
}

bool close(const torch::Tensor& actual, const torch::Tensor& expected) {
  return actual.sizes() == expected.sizes() &&
         torch::allclose(actual.to(torch::kFloat64), expected, 1e-5, 1e-5);
}

}  // namespace

TEST_CASE("int8 1x1 convolution: every instruction set multiplies the rounded values") {
  torch::manual_seed(5);
  for (const auto& c : kPointwiseCases) {
    CAPTURE(c.in_channels);
    const auto input = maps({c.images, c.in_channels, c.height, c.width});
    const auto filters = weight(c.out_channels, c.in_channels),
               bias = torch::randn({c.out_channels});
    const auto plain = reference(input, filters, c.stride) + bias.view({1, -1, 1, 1});
    const auto residual = maps(plain.sizes());
    const auto coarse = maps({c.images, c.out_channels, 3, 2});
    const auto enlarged = torch::upsample_nearest2d(coarse, plain.sizes().slice(2));
    for (const auto* const* kernels = cpu::usable_int8_kernels(); *kernels != nullptr; ++kernels) {
      const auto slices = cpu::pack_int8_weights(filters, **kernels);
      const auto run = [&](const torch::Tensor& added, bool relu) {
        auto output = torch::empty(plain.sizes(), torch::kFloat32, at::MemoryFormat::ChannelsLast);
        cpu::int8_pointwise_conv(input, slices, bias, c.stride, added, relu, output, **kernels);
        return output;
      };
      CHECK(close(run({}, false), plain));
      CHECK(close(run({}, true), plain.relu()));
      CHECK(close(run(residual, true), (plain + residual).relu()));
      CHECK(close(run(coarse, false), plain + enlarged));
    }
  }
}

TEST_CASE("int8 1x1 convolution of two: each input has its own range") {
  torch::manual_seed(6);
  for (const int64_t stride : {1, 2}) {
    const auto a = maps({2, 24, (9 + stride - 1) / stride, (7 + stride - 1) / stride});
    const auto b = maps({2, 40, 9, 7}) * 1000;
    const auto first = weight(33, 24), second = weight(33, 40) / 1000, bias = torch::randn({33});
    const auto expected =
        (reference(a, first, 1) + reference(b, second, stride) + bias.view({1, -1, 1, 1})).relu();
    for (const auto* const* kernels = cpu::usable_int8_kernels(); *kernels != nullptr; ++kernels) {
      const auto slices = cpu::pack_int8_weights({first, second}, **kernels);
      auto output = torch::empty(expected.sizes(), torch::kFloat32, at::MemoryFormat::ChannelsLast);
      const std::array<torch::Tensor, 2> inputs{a, b};
      cpu::int8_pointwise_conv(inputs, slices, bias, stride, {}, true, output, **kernels);
      CHECK(close(output, expected));
    }
    if (!supported()) continue;
    const PointwiseWeights weights({first, second}, torch::kInt8);
    CHECK(close(pointwise_conv_of_two(a, b, stride, weights, bias, true), expected));
  }
}

TEST_CASE("int8 1x1 convolution: the error is within half a step per operand") {
  if (!supported()) return;
  torch::manual_seed(7);
  const auto input = maps({1, 300, 9, 9}), filters = weight(50, 300), bias = torch::randn({50});
  const auto exact =
      torch::conv2d(input.to(torch::kFloat64), filters.view({50, 300, 1, 1}).to(torch::kFloat64),
                    bias.to(torch::kFloat64));
  const auto found = pointwise_conv(input, PointwiseWeights(filters, torch::kInt8), bias, 1, {},
                                    false, /*relu=*/false);
  // Half a step of each value and of each weight, all in the same direction.
  const auto value_step = (input.amax(1, true) - input.amin(1, true)) / 255;
  const auto weight_step = filters.abs().amax(1).view({1, -1, 1, 1}) / 127;
  const auto bound = 0.5 * value_step * filters.abs().sum(1).view({1, -1, 1, 1}) +
                     0.5 * weight_step * (input.abs() + value_step).sum(1, true);
  const auto differences = (found - exact).abs();
  CHECK((differences < bound).all().item<bool>());
  // Rounding errors have different directions, but the result is not exact.
  CHECK(differences.max().item<double>() < 0.05);
  CHECK(differences.max().item<double>() > 1e-4);
}

TEST_CASE("int8 1x1 convolution: the result of a pixel does not depend on other pixels") {
  if (!supported()) return;
  torch::manual_seed(8);
  const PointwiseWeights weights(weight(20, 37), torch::kInt8);
  const auto bias = torch::randn({20});
  const auto run = [&](const torch::Tensor& input) {
    return pointwise_conv(input, weights, bias, 1, {}, false, true);
  };
  auto input = maps({2, 37, 25, 24});
  const auto expected = with_threads(1, [&] { return run(input); });
  CHECK(same(with_threads(3, [&] { return run(input); }), expected));
  CHECK(same(run(input.contiguous()), expected));
  CHECK(same(run(input.narrow(0, 1, 1)), expected.narrow(0, 1, 1)));
  input[0][5][3][4] = 1e6;
  input[1][6][7][8] = std::numeric_limits<float>::quiet_NaN();
  const auto changed = run(input);
  CHECK(changed[1].select(1, 7).select(1, 8).isnan().all().item<bool>());
  CHECK(changed.isnan().sum().item<int64_t>() == 20);
  CHECK((changed != expected).any(1).sum().item<int64_t>() == 2);
}

TEST_CASE("int8 1x1 convolution: in place, no images, no pixels, zero weights") {
  if (!supported()) return;
  torch::manual_seed(9);
  const auto input = maps({1, 4, 6, 7}), bias = torch::randn({5});
  auto residual = maps({1, 5, 6, 7});
  const PointwiseWeights weights(weight(5, 4), torch::kInt8);
  CHECK((weights.compute_dtype() == torch::kInt8));
  CHECK(weights.in_channels() == 4);
  CHECK(weights.out_channels() == 5);
  const auto apart = pointwise_conv(input, weights, bias, 1, residual, /*in_place=*/false, true);
  const auto sum = pointwise_conv(input, weights, bias, 1, residual, /*in_place=*/true, true);
  CHECK(sum.is_same(residual));
  CHECK(same(sum, apart));
  for (const auto& [sizes, expected] :
       {std::pair<std::vector<int64_t>, std::vector<int64_t>>{{0, 4, 6, 7}, {0, 5, 3, 4}},
        {{2, 4, 0, 7}, {2, 5, 0, 4}}}) {
    CHECK(pointwise_conv(torch::empty(sizes), weights, bias, 2, {}, false, true).sizes() ==
          at::IntArrayRef(expected));
  }
  const PointwiseWeights nothing(torch::zeros({5, 4}), torch::kInt8);
  CHECK(same(pointwise_conv(input, nothing, bias, 1, {}, false, false),
             bias.view({1, 5, 1, 1}).expand({1, 5, 6, 7})));
}

TEST_CASE(
    "int8 1x1 convolution: in place with several slices, whose sums are added to the residual") {
  if (!supported()) return;
  torch::manual_seed(10);
  const auto input = maps({2, 4200, 9, 7}), bias = torch::randn({50});
  const PointwiseWeights weights(weight(50, 4200), torch::kInt8);
  REQUIRE(weights.packed().slices.size() == 3);
  auto residual = maps({2, 50, 9, 7});
  const auto apart = pointwise_conv(input, weights, bias, 1, residual, /*in_place=*/false, true);
  const auto sum = with_threads(3, [&] {
    return pointwise_conv(input, weights, bias, 1, residual, /*in_place=*/true, true);
  });
  CHECK(sum.is_same(residual));
  CHECK(same(sum, apart));
  auto strange = input.clone();
  strange[1][4199][8][6] = std::numeric_limits<float>::infinity();
  const auto changed = pointwise_conv(strange, weights, bias, 1, {}, false, true);
  CHECK(changed[1].select(1, 8).select(1, 6).isnan().all().item<bool>());
  CHECK(changed.isnan().sum().item<int64_t>() == 50);
}

TEST_CASE("int8 1x1 convolution refuses weights of inconsistent sizes") {
  if (!supported()) {
    CHECK_THROWS_AS(PointwiseWeights(torch::zeros({6, 4}), torch::kInt8), c10::Error);
    return;
  }
  CHECK_THROWS_AS(PointwiseWeights(torch::zeros({6, 4, 1, 1}), torch::kInt8), c10::Error);
  CHECK_THROWS_AS(PointwiseWeights(torch::zeros({6, 0}), torch::kInt8), c10::Error);
  CHECK_THROWS_AS(PointwiseWeights({torch::zeros({6, 4}), torch::zeros({5, 4})}, torch::kInt8),
                  c10::Error);
  CHECK_THROWS_AS(PointwiseWeights(torch::zeros({6, 4}), torch::kBFloat16), c10::Error);
}

}  // namespace int8_pointwise_conv_test
