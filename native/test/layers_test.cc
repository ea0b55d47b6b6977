#include "infer/layers.h"

#include <vector>

#include "tensors.h"

namespace layers_test {

using cellroute::infer::Activation;
using cellroute::infer::activation_dtype;
using cellroute::infer::Affine;
using cellroute::infer::ConvLayer;
using cellroute::infer::LinearLayer;
using cellroute::infer::ResidualSum;
namespace ops = cellroute::ops;

namespace {

torch::Tensor maps(at::IntArrayRef sizes) {
  return torch::randn(sizes).contiguous(at::MemoryFormat::ChannelsLast);
}

Affine affine(at::IntArrayRef sizes) {
  const double inputs = static_cast<double>(sizes[1] * sizes[2] * sizes[3]);
  return {torch::randn(sizes) / std::sqrt(inputs), torch::randn({sizes[0]})};
}

torch::Tensor reference(const torch::Tensor& input, const Affine& conv, int64_t stride) {
  return torch::conv2d(input.to(torch::kFloat64), conv.weight.to(torch::kFloat64),
                       conv.bias.to(torch::kFloat64), stride, conv.weight.size(2) / 2);
}

bool close(const torch::Tensor& actual, const torch::Tensor& expected, double tolerance) {
  return actual.sizes() == expected.sizes() &&
         torch::allclose(actual.to(torch::kFloat64), expected, tolerance, tolerance);
}

std::vector<torch::ScalarType> compute_dtype() {
  std::vector<torch::ScalarType> found{torch::kFloat32};
  if (ops::winograd_supports(torch::kBFloat16)) found.push_back(torch::kBFloat16);
  if (ops::pointwise_conv_supports_int8()) found.push_back(torch::kInt8);
  return found;
}

double tolerance(torch::ScalarType compute_dtype) {
  return compute_dtype == torch::kFloat32 ? 1e-4 : 6e-2;
}

}  // namespace

TEST_CASE("layers: a 3x3 convolution with few, many and very many channels is correct") {
  torch::manual_seed(3);
  for (const int64_t channels : {16, 64, 512, 600}) {
    CAPTURE(channels);
    const auto conv = affine({channels, channels, 3, 3});
    const auto input = maps({1, channels, 9, 7});
    const auto expected = reference(input, conv, 1).relu();
    for (const auto type : compute_dtype()) {
      const ConvLayer layer(conv.weight, conv.bias, 1, Activation::kRelu, type);
      CHECK(close(layer(input.to(activation_dtype(type))), expected, tolerance(type)));
    }
  }
}

TEST_CASE(
    "layers: large tiles up to 384 channels, small ones above, where weights would be too large") {
  const auto side = [](int64_t channels) {
    return ops::fastest_winograd_side(channels, channels, torch::kFloat32);
  };
  CHECK(side(16) == 0);
  CHECK(side(32) == 4);
  CHECK(side(384) == 4);
  // If our own matrix kernel is used.
  CHECK(side(512) == (ops::has_pointwise_conv_of_two(torch::kFloat32) ? 2 : 0));
  CHECK(side(1024) == 0);
  if (!ops::winograd_supports(torch::kInt16)) return;
  const auto of_integers = [](int64_t channels) {
    return ops::fastest_winograd_side(channels, channels, torch::kInt16);
  };
  CHECK(of_integers(16) == 0);
  CHECK(of_integers(384) == 4);
  CHECK(of_integers(512) == 2);
  CHECK(of_integers(1024) == 0);
}

TEST_CASE("layers: int8 rounds only where it is documented to") {
  if (!ops::pointwise_conv_supports_int8()) return;
  torch::manual_seed(6);
  const auto differs = [](int64_t side, int64_t stride) {
    const auto conv = affine({64, 64, side, side});
    const auto input = maps({1, 64, 9, 7});
    const auto found =
        ConvLayer(conv.weight, conv.bias, stride, Activation::kNone, torch::kInt8)(input);
    return (found - reference(input, conv, stride)).abs().max().item<double>();
  };
  CHECK(differs(1, 1) > 1e-3);  // 8 bits
  CHECK(differs(3, 1) > 1e-4);  // 16 bits, at Winograd's points
  CHECK(differs(3, 1) < 1e-2);
  CHECK(differs(3, 2) < 1e-4);  // float32
  const auto linear = affine({17, 300, 1, 1});
  const auto input = torch::randn({5, 300});
  const LinearLayer layer(linear.weight.flatten(1), linear.bias, Activation::kNone, torch::kInt8);
  const auto exact = torch::linear(input, linear.weight.flatten(1), linear.bias);
  CHECK((layer(input) - exact).abs().max().item<double>() > 1e-3);
}

TEST_CASE("layers: the last convolution of a block, its shortcut, and their sum") {
  torch::manual_seed(4);
  const auto last = affine({40, 24, 1, 1}), shortcut = affine({40, 12, 1, 1});
  for (const int64_t stride : {1, 2}) {
    const auto input = maps({2, 12, 9, 6});
    const auto inside = maps({2, 24, (9 + stride - 1) / stride, (6 + stride - 1) / stride});
    const auto expected = (reference(inside, last, 1) + reference(input, shortcut, stride)).relu();
    for (const auto type : compute_dtype()) {
      const ResidualSum sum(last, shortcut, stride, type);
      const auto of_maps = activation_dtype(type);
      CHECK(close(sum(inside.to(of_maps), input.to(of_maps)), expected, tolerance(type)));
    }
  }
}

TEST_CASE("layers: a linear layer without rows, and with more inputs than one quantised slice") {
  torch::manual_seed(5);
  for (const int64_t inputs : {30, 2500}) {
    const auto linear = affine({17, inputs, 1, 1});
    for (const int64_t count : {0, 1, 50}) {
      const auto input = torch::randn({count, inputs});
      const auto expected = torch::linear(input, linear.weight.flatten(1), linear.bias).relu();
      for (const auto type : compute_dtype()) {
        const LinearLayer layer(linear.weight.flatten(1), linear.bias, Activation::kRelu, type);
        const auto found = layer(input.to(activation_dtype(type)));
        CHECK((found.scalar_type() == activation_dtype(type)));
        CHECK(close(found, expected.to(torch::kFloat64), tolerance(type)));
      }
    }
  }
}

}  // namespace layers_test
