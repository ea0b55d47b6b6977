#include "io/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "error.h"
#include "tensors.h"

namespace resize_test {

using namespace cellroute::io;
using cellroute::test::with_threads;

// test/golden/resize.test.ts tests equality with Pillow.
namespace {

template <typename T>
Image make(Image::Type type, int64_t height, int64_t width, int64_t channels,
           const std::vector<T>& values) {
  Image result{.type = type, .bytes = {}, .width = width, .height = height, .channels = channels};
  result.bytes.resize(values.size() * sizeof(T));
  std::memcpy(result.bytes.data(), values.data(), result.bytes.size());
  return result;
}

template <typename T>
std::vector<T> values_of(const Image& image) {
  std::vector<T> values(image.bytes.size() / sizeof(T));
  std::memcpy(values.data(), image.bytes.data(), image.bytes.size());
  return values;
}

Image noise(int64_t height, int64_t width, int64_t channels) {
  torch::manual_seed(height * width);
  const auto values = torch::randint(0, 256, {height * width * channels}, torch::kUInt8);
  const auto* data = values.const_data_ptr<uint8_t>();
  return make(Image::Type::kU8, height, width, channels,
              std::vector<uint8_t>(data, data + values.numel()));
}

/** The same values with a wider type. */
template <typename T>
Image as(Image::Type type, const Image& image, T factor) {
  std::vector<T> values(image.bytes.begin(), image.bytes.end());
  for (auto& value : values) value = static_cast<T>(value * factor);
  return make(type, image.height, image.width, image.channels, values);
}

/** A triangle filter as wide as a target pixel, over all source pixels, both axes together. */
double reference(const Image& source, int64_t height, int64_t width, int64_t y, int64_t x,
                 int64_t c) {
  const auto weights = [](int64_t from, int64_t to, int64_t at) {
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    const double centre = (static_cast<double>(at) + 0.5) * scale;
    std::vector<double> result;
    result.reserve(static_cast<size_t>(from));
    for (int64_t i = 0; i < from; ++i) {
      result.push_back(std::max(
          0.0, 1 - std::abs(static_cast<double>(i) + 0.5 - centre) / std::max(scale, 1.0)));
    }
    return result;
  };
  const auto rows = weights(source.height, height, y), columns = weights(source.width, width, x);
  double sum = 0, total = 0;
  for (int64_t i = 0; i < source.height; ++i) {
    for (int64_t j = 0; j < source.width; ++j) {
      const double weight = rows[i] * columns[j];
      sum += weight * source.bytes[(i * source.width + j) * source.channels + c];
      total += weight;
    }
  }
  return sum / total;
}

}  // namespace

TEST_CASE("resize: computed by hand") {
  // Halving: a triangle over four pixels, weights 1 3 3 1 inside, 3 3 1 at the border.
  const auto row = make<uint8_t>(Image::Type::kU8, 1, 4, 1, {0, 70, 140, 210});
  CHECK(resize(row, 1, 2).bytes == std::vector<uint8_t>{50, 160});
  // Doubling: a quarter and three quarters of the neighbours.
  const auto column = make<uint8_t>(Image::Type::kU8, 2, 1, 1, {0, 100});
  CHECK(resize(column, 4, 1).bytes == std::vector<uint8_t>{0, 25, 75, 100});
  const auto words = make<uint16_t>(Image::Type::kU16, 2, 1, 1, {0, 40000});
  CHECK(values_of<uint16_t>(resize(words, 4, 1)) == std::vector<uint16_t>{0, 10000, 30000, 40000});
  const auto reals = make<float>(Image::Type::kF32, 2, 1, 1, {-1, 1});
  CHECK(values_of<float>(resize(reals, 4, 1)) == std::vector<float>{-1, -0.5, 0.5, 1});
}

TEST_CASE("resize equals the slow reference, for every type") {
  const auto source = noise(23, 17, 3);
  for (const auto& [height, width] :
       {std::pair{9, 30}, {40, 8}, {1, 1}, {23, 5}, {50, 17}, {23, 17}}) {
    const auto small = resize(source, height, width);
    const auto words =
        values_of<uint16_t>(resize(as<uint16_t>(Image::Type::kU16, source, 257), height, width));
    const auto reals =
        values_of<float>(resize(as<float>(Image::Type::kF32, source, 1), height, width));
    REQUIRE(small.width == width);
    REQUIRE(small.height == height);
    REQUIRE(small.bytes.size() == static_cast<size_t>(height * width * 3));
    double worst = 0, worst_words = 0, worst_reals = 0;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          const double exact = reference(source, height, width, y, x, c);
          const auto i = static_cast<size_t>((y * width + x) * 3 + c);
          worst = std::max(worst, std::abs(small.bytes[i] - exact));
          worst_words = std::max(worst_words, std::abs(words[i] - 257 * exact));
          worst_reals = std::max(worst_reals, std::abs(reals[i] - exact));
        }
      }
    }
    CHECK(worst <= 1.001);  // rounded after the rows and after the columns
    CHECK(worst_words <= 0.51);
    CHECK(worst_reals <= 1e-4);
  }
}

TEST_CASE("resize: a constant remains constant, and an equal size is a copy") {
  const auto white = make(Image::Type::kU8, 31, 47, 1, std::vector<uint8_t>(size_t{31} * 47, 255));
  const auto resized = resize(white, 224, 13);
  CHECK(std::ranges::all_of(resized.bytes, [](uint8_t value) { return value == 255; }));
  CHECK(resize(noise(6, 5, 4), 6, 5).bytes == noise(6, 5, 4).bytes);
}

TEST_CASE("centred_part is as large as the image allows and lies at its centre") {
  struct Case {
    int64_t width, height, target_width, target_height;
    Region part;
  };
  for (const auto& [width, height, target_width, target_height, expected] : {
           Case{500, 300, 224, 224, {100, 0, 300, 300}},
           Case{300, 500, 224, 224, {0, 100, 300, 300}},
           // Truncated: 101 / 3 * 2 is 67.3; the odd pixel is on the right.
           Case{200, 101, 2, 3, {66, 0, 67, 101}},
           Case{900, 1, 7, 2, {448, 0, 3, 1}},
       }) {
    const auto found = centred_part(width, height, target_width, target_height);
    CHECK(found.left == expected.left);
    CHECK(found.top == expected.top);
    CHECK(found.width == expected.width);
    CHECK(found.height == expected.height);
  }
}

TEST_CASE("resize_crop takes the centre with the target's aspect ratio") {
  // 2 x 6 to 2 x 2: columns 2 and 3, unchanged.
  const auto wide =
      make<uint8_t>(Image::Type::kU8, 2, 6, 1, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  CHECK(resize_crop(wide, 2, 2).bytes == std::vector<uint8_t>{3, 4, 9, 10});
  const auto tall = make<uint8_t>(Image::Type::kU8, 5, 2, 1, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(resize_crop(tall, 2, 2).bytes == std::vector<uint8_t>{3, 4, 5, 6});
  // Pixels of several bytes and channels stay together.
  const auto words = make<uint16_t>(Image::Type::kU16, 1, 3, 2, {1, 2, 300, 400, 5, 6});
  CHECK(values_of<uint16_t>(resize_crop(words, 1, 1)) == std::vector<uint16_t>{300, 400});
  const auto sliver = make<uint8_t>(Image::Type::kU8, 1, 900, 1, std::vector<uint8_t>(900, 9));
  CHECK(resize_crop(sliver, 7, 2).bytes == std::vector<uint8_t>(14, 9));
}

TEST_CASE("resize: results do not depend on threads; invalid sizes are refused") {
  const auto source = noise(200, 300, 3);
  const auto run = [&] { return resize(source, 150, 401).bytes; };
  CHECK(with_threads(1, run) == with_threads(2, run));
  CHECK_THROWS_AS(resize(source, 0, 5), cellroute::Error);
  CHECK_THROWS_AS(resize(source, 5, -1), cellroute::Error);
  CHECK_THROWS_AS(resize_crop(source, 1'000'000, 1'000'000), cellroute::Error);
  auto cut = source;
  cut.bytes.pop_back();
  CHECK_THROWS_AS(resize(cut, 5, 5), cellroute::Error);
}

}  // namespace resize_test
