#include "model/box_coder.h"

#include <cmath>

#include "tensors.h"

namespace box_coder_test {

using cellroute::model::BoxCoder;

namespace {

torch::Tensor random_boxes(int64_t count) {
  const auto corner = torch::rand({count, 2}) * 100;
  return torch::cat({corner, corner + torch::rand({count, 2}) * 50 + 1}, 1);
}

}  // namespace

TEST_CASE("box coder: decoding inverts encoding") {
  torch::manual_seed(1);
  const BoxCoder coder({10, 10, 5, 5});
  const auto proposals = random_boxes(37);
  const auto reference = random_boxes(37);
  const auto decoded = coder.decode(coder.encode(reference, proposals), proposals);
  REQUIRE(decoded.sizes() == torch::IntArrayRef({37, 1, 4}));
  CHECK(torch::allclose(decoded.squeeze(1), reference, 1e-5, 1e-3));
}

TEST_CASE("box coder: offsets per class are decoded for each box") {
  torch::manual_seed(2);
  const BoxCoder coder({8, 12, 4, 6});
  const auto boxes = random_boxes(5);
  const auto offsets = torch::randn({5, 12}) * 3;
  const auto decoded = coder.decode(offsets, boxes);
  REQUIRE(decoded.sizes() == torch::IntArrayRef({5, 3, 4}));
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t k = 0; k < 3; ++k) {
      const auto at = [&](int64_t j) { return offsets[i][4 * k + j].item<double>(); };
      const auto side = [&](int64_t j) { return boxes[i][j].item<double>(); };
      const double width = side(2) - side(0);
      const double height = side(3) - side(1);
      const double x = side(0) + width / 2 + at(0) / 8 * width;
      const double y = side(1) + height / 2 + at(1) / 12 * height;
      const double w = std::exp(at(2) / 4) * width;
      const double h = std::exp(at(3) / 6) * height;
      const auto expected =
          torch::tensor({x - w / 2, y - h / 2, x + w / 2, y + h / 2}).to(torch::kFloat32);
      CHECK(torch::allclose(decoded[i][k], expected, 1e-5, 1e-3));
    }
  }
}

TEST_CASE("box coder: sizes grow at most by the factor 1000 / 16") {
  const BoxCoder coder({1, 1, 1, 1});
  const auto decoded = coder.decode(torch::tensor({{0.0F, 0.0F, 100.0F, 50.0F}}),
                                    torch::tensor({{0.0F, 0.0F, 2.0F, 4.0F}}));
  CHECK(torch::allclose(decoded[0][0], torch::tensor({-61.5F, -123.0F, 63.5F, 127.0F}), 1e-5));
}

TEST_CASE("box coder: no boxes") {
  const BoxCoder coder({1, 1, 1, 1});
  CHECK(coder.decode(torch::zeros({0, 8}), torch::zeros({0, 4})).sizes() ==
        torch::IntArrayRef({0, 2, 4}));
  CHECK(coder.encode(torch::zeros({0, 4}), torch::zeros({0, 4})).sizes() ==
        torch::IntArrayRef({0, 4}));
}

}  // namespace box_coder_test
