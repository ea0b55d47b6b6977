#include "model/anchor_generator.h"

#include <cmath>

#include "error.h"
#include "tensors.h"

namespace anchor_generator_test {

using cellroute::model::AnchorConfig;
using cellroute::model::AnchorGenerator;

TEST_CASE("anchors: at each pixel of the map, ratios in the outer and sizes in the inner loop") {
  const AnchorConfig config{.sizes = {{10, 20}}, .aspect_ratios = {{0.5, 1}}};
  const AnchorGenerator generator(config);
  const int64_t rows = 3;
  const int64_t columns = 5;
  const auto anchors = generator(0, {rows, columns}, {25, 41});
  REQUIRE(generator.anchors_per_location() == 4);
  REQUIRE(anchors.sizes() == torch::IntArrayRef({rows * columns * 4, 4}));
  int64_t row = 0;
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < columns; ++x) {
      for (const double ratio : {0.5, 1.0}) {
        for (const double size : {10.0, 20.0}) {
          const double height = size * std::sqrt(ratio);
          const double width = size / std::sqrt(ratio);
          // Strides are integers: 25 rows / 3 is 8, 41 columns / 5 is 8.
          const auto left = static_cast<double>(8 * x), top = static_cast<double>(8 * y);
          const auto expected =
              torch::tensor({left + std::nearbyint(-width / 2), top + std::nearbyint(-height / 2),
                             left + std::nearbyint(width / 2), top + std::nearbyint(height / 2)},
                            torch::kFloat32);
          CHECK(cellroute::test::same(anchors[row++], expected));
        }
      }
    }
  }
}

TEST_CASE("anchors: half pixels are rounded to even") {
  const AnchorGenerator generator({.sizes = {{5}}, .aspect_ratios = {{1}}});
  CHECK(cellroute::test::same(generator(0, {1, 1}, {32, 32}),
                              torch::tensor({{-2.0F, -2.0F, 2.0F, 2.0F}})));
}

TEST_CASE("anchors: levels with different numbers of anchors are refused") {
  CHECK_THROWS_AS(AnchorGenerator({.sizes = {{5}, {5, 6}}, .aspect_ratios = {{1}, {1}}}),
                  cellroute::Error);
  CHECK_THROWS_AS(AnchorGenerator({.sizes = {{5}}, .aspect_ratios = {{1}, {1}}}), cellroute::Error);
  CHECK_THROWS_AS(AnchorGenerator({.sizes = {{}}, .aspect_ratios = {{1}}}), cellroute::Error);
}

}  // namespace anchor_generator_test
