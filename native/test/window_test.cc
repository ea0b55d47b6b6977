#include "io/window.h"

#include <random>

#include "io/pixels.h"
#include "tensors.h"

namespace window_test {

using namespace cellroute::io;
using cellroute::test::same;

namespace {

Image noise(int64_t height, int64_t width, int64_t channels) {
  Image image{.type = Image::Type::kU8,
              .bytes = {},
              .width = width,
              .height = height,
              .channels = channels};
  image.bytes.resize(static_cast<size_t>(height * width * channels));
  std::mt19937 random(5);
  for (auto& byte : image.bytes) byte = static_cast<uint8_t>(random());
  return image;
}

constexpr Intensity kMinMax{.kind = Intensity::Kind::kMinMax};

}  // namespace

TEST_CASE("window: windows of a resized image are those of torch's resize of the whole") {
  for (const int64_t channels : {1, 2, 3, 4}) {
    const auto image = noise(37, 53, channels);
    const FloatImage values(image, kMinMax);
    const auto whole = to_float(image, kMinMax).unsqueeze(0);
    for (const auto& [height, width] : {std::pair{37, 53}, {74, 106}, {55, 79}, {20, 31}, {1, 1}}) {
      const auto resized =
          torch::upsample_bilinear2d(whole, {height, width}, /*align_corners=*/false).squeeze(0);
      for (const auto& window :
           {Window{0, 0, width, height}, Window{width / 3, height / 2, width - width / 3, 1},
            Window{width / 2, 0, 1, height}}) {
        const auto part = read_window(values, image, height, width, window);
        const auto expected =
            resized.narrow(1, window.y, window.height).narrow(2, window.x, window.width);
        REQUIRE(part.sizes() == expected.sizes());
        CHECK(torch::allclose(part, expected, /*rtol=*/0, /*atol=*/1e-5));
      }
    }
  }
}

TEST_CASE("window: of an image as it is, its own values to the last bit") {
  const auto image = noise(40, 30, 3);
  const FloatImage values(image, kMinMax);
  const auto part = read_window(values, image, 40, 30, {.x = 4, .y = 9, .width = 20, .height = 31});
  CHECK(same(part, to_float(image, kMinMax).narrow(1, 9, 31).narrow(2, 4, 20).contiguous()));
}

}  // namespace window_test
