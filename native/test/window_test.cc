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

PartOf whole_of(const Image& image) { return {0, 0, image.width, image.height}; }

/** The pixels of a part, as a separate image. */
Image cropped(const Image& image, int64_t x, int64_t y, int64_t width, int64_t height) {
  Image part{.type = image.type,
             .bytes = {},
             .width = width,
             .height = height,
             .channels = image.channels};
  for (int64_t row = y; row < y + height; ++row) {
    const auto begin = image.bytes.begin() + (row * image.width + x) * image.channels;
    part.bytes.insert(part.bytes.end(), begin, begin + width * image.channels);
  }
  return part;
}

constexpr Intensity kMinMax{.kind = Intensity::Kind::kMinMax};

}  // namespace

TEST_CASE("window: windows of a resized image equal torch's resize of the whole image") {
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
        const auto part = read_window(values, image, whole_of(image), height, width, window);
        const auto expected =
            resized.narrow(1, window.y, window.height).narrow(2, window.x, window.width);
        REQUIRE(part.sizes() == expected.sizes());
        CHECK(torch::allclose(part, expected, /*rtol=*/0, /*atol=*/1e-5));
      }
    }
  }
}

TEST_CASE("window: without a resize, values are unchanged") {
  const auto image = noise(40, 30, 3);
  const FloatImage values(image, kMinMax);
  const auto part = read_window(values, image, whole_of(image), 40, 30,
                                {.x = 4, .y = 9, .width = 20, .height = 31});
  CHECK(same(part, to_float(image, kMinMax).narrow(1, 9, 31).narrow(2, 4, 20).contiguous()));
}

TEST_CASE("window: the pixels that it needs give it, without the rest of the image") {
  const auto image = noise(40, 30, 3);
  const auto range = measure_range(image, kMinMax);
  const FloatImage values(image, kMinMax);
  for (const auto& [height, width] : {std::pair{40, 30}, {61, 44}, {17, 11}}) {
    for (const auto& window :
         {Window{0, 0, 5, 7}, Window{4, 6, 7, 11}, Window{width - 3, 0, 3, 2}}) {
      const auto [left, right] = needed_pixels(30, width, window.x, window.x + window.width);
      const auto [top, bottom] = needed_pixels(40, height, window.y, window.y + window.height);
      CHECK((left >= 0 && right <= 30 && top >= 0 && bottom <= 40));
      const auto part = cropped(image, left, top, right - left, bottom - top);
      const FloatImage part_values(part, range);
      CHECK(same(read_window(part_values, part, {left, top, 30, 40}, height, width, window),
                 read_window(values, image, whole_of(image), height, width, window)));
    }
  }
}

}  // namespace window_test
