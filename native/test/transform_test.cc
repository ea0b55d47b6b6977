#include "model/transform.h"

#include "small_network.h"
#include "tensors.h"

namespace transform_test {

using cellroute::model::GeneralizedRcnnTransform;
using cellroute::model::ImageSize;
using cellroute::model::resize_boxes;
using cellroute::model::resized;
using cellroute::test::small_config;

namespace {

void check_size(ImageSize size, int64_t height, int64_t width) {
  CHECK(size.height == height);
  CHECK(size.width == width);
}

}  // namespace

TEST_CASE("transform: sizes equal torchvision's") {
  check_size(resized({520, 704}, {800, 1333, {}}), 800, 1083);
  check_size(resized({704, 520}, {800, 1333, {}}), 1083, 800);
  // Limited by the longer side.
  check_size(resized({100, 1000}, {800, 1333, {}}), 133, 1333);
  check_size(resized({256, 256}, {256, 2048, {}}), 256, 256);
  // By a factor, for any size up to the limit.
  check_size(resized({100, 301}, {.min_size = 800, .max_size = 1333, .scale = 1.5}), 150, 451);
  check_size(resized({100, 1000}, {.min_size = 800, .max_size = 1333, .scale = 2.0}), 133, 1333);
  // torchvision would compute zero rows.
  check_size(resized({1, 2000}, {800, 1333, {}}), 1, 1333);
}

TEST_CASE("transform: images of several sizes are normalised into one padded batch") {
  auto config = small_config();
  config.size_divisible = 8;
  const std::vector<torch::Tensor> images{torch::rand({3, 5, 9}), torch::rand({3, 8, 1})};
  const auto batch = GeneralizedRcnnTransform(config)(images);
  REQUIRE(batch.tensors.sizes() == torch::IntArrayRef({2, 3, 8, 16}));
  for (int64_t n = 0; n < 2; ++n) {
    const auto& image = images[n];
    check_size(batch.sizes[n], image.size(1), image.size(2));
    auto expected = torch::zeros({3, 8, 16});
    for (int64_t c = 0; c < 3; ++c) {
      expected[c].narrow(0, 0, image.size(1)).narrow(1, 0, image.size(2)) =
          (image[c] - config.normalize.mean[c]) / config.normalize.std[c];
    }
    CHECK(torch::allclose(batch.tensors[n], expected, 1e-5, 1e-6));
  }
}

TEST_CASE("transform: resizes between pixel centres, without antialiasing") {
  auto config = small_config();
  config.normalize = {.mean = {0, 0, 0}, .std = {1, 1, 1}};
  config.resize = {.min_size = 7, .max_size = 100, .scale = {}};
  const auto image = torch::rand({3, 4, 6});
  const auto batch = GeneralizedRcnnTransform(config)({image});
  check_size(batch.sizes[0], 7, 10);
  for (int64_t y = 0; y < 7; ++y) {
    for (int64_t x = 0; x < 10; ++x) {
      const auto source = [](int64_t to, int64_t from_size, int64_t to_size) {
        return std::max(0.0, (static_cast<double>(to) + 0.5) * static_cast<double>(from_size) /
                                     static_cast<double>(to_size) -
                                 0.5);
      };
      const double sy = source(y, 4, 7);
      const double sx = source(x, 6, 10);
      const auto y0 = static_cast<int64_t>(sy);
      const auto x0 = static_cast<int64_t>(sx);
      const int64_t y1 = std::min<int64_t>(y0 + 1, 3);
      const int64_t x1 = std::min<int64_t>(x0 + 1, 5);
      const double fy = sy - static_cast<double>(y0);
      const double fx = sx - static_cast<double>(x0);
      const auto at = [&](int64_t row, int64_t column) {
        return image[0][row][column].item<double>();
      };
      const double expected = (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) +
                              fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1));
      CHECK(batch.tensors[0][0][y][x].item<double>() == doctest::Approx(expected).epsilon(1e-5));
    }
  }
}

TEST_CASE("transform: boxes are scaled back to the original image") {
  const auto boxes =
      resize_boxes(torch::tensor({{10.0F, 20.0F, 30.0F, 40.0F}}), {800, 1083}, {520, 704});
  CHECK(torch::allclose(boxes, torch::tensor({{10 * 704 / 1083.0, 20 * 520 / 800.0,
                                               30 * 704 / 1083.0, 40 * 520 / 800.0}})
                                   .to(torch::kFloat32)));
}

TEST_CASE("transform: invalid images are refused") {
  const GeneralizedRcnnTransform transform(small_config());
  CHECK_THROWS_AS(transform({}), c10::Error);
  CHECK_THROWS_AS(transform({torch::zeros({1, 4, 4})}), c10::Error);
  CHECK_THROWS_AS(transform({torch::zeros({3, 0, 4})}), c10::Error);
  CHECK_THROWS_AS(transform({torch::zeros({3, 4, 4}, torch::kUInt8)}), c10::Error);
}

}  // namespace transform_test
