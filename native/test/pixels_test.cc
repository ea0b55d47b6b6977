#include "io/pixels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "errors.h"
#include "tensors.h"

namespace pixels_test {

using namespace cellroute::io;
using cellroute::test::code_of;
using cellroute::test::same;
using cellroute::test::with_threads;

namespace {

template <typename T>
Image image(Image::Type type, int64_t height, int64_t width, int64_t channels,
            const std::vector<T>& values) {
  Image result{.type = type, .bytes = {}, .width = width, .height = height, .channels = channels};
  const auto* data = reinterpret_cast<const uint8_t*>(values.data());
  result.bytes.assign(data, data + values.size() * sizeof(T));
  return result;
}

Image bytes(int64_t height, int64_t width, int64_t channels, const std::vector<uint8_t>& values) {
  return image(Image::Type::kU8, height, width, channels, values);
}

Image floats(int64_t height, int64_t width, int64_t channels, const std::vector<float>& values) {
  return image(Image::Type::kF32, height, width, channels, values);
}

constexpr Intensity kTypeRange{};
constexpr Intensity kMinMax{.kind = Intensity::Kind::kMinMax};

Intensity percentile(double low, double high) {
  return {.kind = Intensity::Kind::kPercentile, .low = low, .high = high};
}

/** Reference with torch: [3, H, W], values divided by `range`, alpha dropped, grey repeated. */
torch::Tensor scaled(const torch::Tensor& values, double range) {
  auto planes = values.permute({2, 0, 1}).to(torch::kFloat32) / range;
  planes = planes.slice(0, 0, planes.size(0) <= 2 ? 1 : 3);
  return planes.expand({3, planes.size(1), planes.size(2)}).contiguous();
}

torch::Tensor stretched(const torch::Tensor& x, const torch::Tensor& low,
                        const torch::Tensor& high) {
  return (torch::minimum(torch::maximum(x, low), high) - low) / (high - low + 1e-6);
}

/** numpy's linear percentile, by sorting. */
torch::Tensor numpy_percentile(const torch::Tensor& x, double percent) {
  return std::get<0>(x.flatten().to(torch::kFloat64).sort())
      .quantile(percent / 100)
      .to(torch::kFloat32);
}

/** 7 x 5 random images of every type, with the same values as a tensor [H, W, C]. */
std::vector<std::pair<Image, torch::Tensor>> random_images(int64_t channels) {
  torch::manual_seed(channels);
  const auto uniform = torch::rand({7, 5, channels});
  const auto to_image = [&]<typename T>(Image::Type type, const torch::Tensor& tensor, T) {
    const auto plain = tensor.contiguous().to(torch::kFloat64);
    const auto* data = plain.template const_data_ptr<double>();
    return image(type, 7, 5, channels, std::vector<T>(data, data + plain.numel()));
  };
  const auto u8 = (uniform * 200 + 20).floor(), u16 = (uniform * 3000 + 500).floor();
  const auto f32 = uniform * 9 - 4;
  return {{to_image(Image::Type::kU8, u8, uint8_t{}), u8},
          {to_image(Image::Type::kU16, u16, uint16_t{}), u16},
          {to_image(Image::Type::kF32, f32, float{}), f32}};
}

double type_range(Image::Type type) {
  return type == Image::Type::kU8 ? 255 : type == Image::Type::kU16 ? 65535 : 1;
}

}  // namespace

TEST_CASE("to_float: rows, columns and channels, computed by hand") {
  const auto rgb = to_float(bytes(1, 2, 3, {0, 51, 102, 153, 204, 255}), kTypeRange);
  CHECK(same(rgb, torch::tensor({0.0F, 0.6F, 0.2F, 0.8F, 0.4F, 1.0F}).view({3, 1, 2})));
  const auto rgba = to_float(bytes(1, 2, 4, {0, 51, 102, 9, 153, 204, 255, 9}), kTypeRange);
  CHECK(same(rgba, rgb));
  const auto grey = torch::tensor({0.2F, 0.4F}).view({1, 2, 1}).expand({3, 2, 1}).contiguous();
  CHECK(same(to_float(bytes(2, 1, 1, {51, 102}), kTypeRange), grey));
  CHECK(same(to_float(bytes(2, 1, 2, {51, 0, 102, 255}), kTypeRange), grey));
  // (x - 0.2) / (0.6 - 0.2), up to the 1e-6; alpha values 0 and 255 are ignored.
  const auto wide = to_float(bytes(3, 1, 2, {51, 0, 102, 255, 153, 0}), kMinMax);
  CHECK(torch::allclose(wide[0].flatten(), torch::tensor({0.0F, 0.5F, 1.0F}), 0, 1e-5));
}

TEST_CASE("to_float equals torch's arithmetic exactly") {
  for (int64_t channels = 1; channels <= 4; ++channels) {
    for (const auto& [source, values] : random_images(channels)) {
      const auto x = scaled(values, type_range(source.type));
      CHECK(same(to_float(source, kTypeRange), x));
      CHECK(same(to_float(source, kMinMax), stretched(x, x.min(), x.max())));
    }
  }
}

TEST_CASE("to_float: percentiles equal numpy's") {
  for (int64_t channels = 1; channels <= 4; ++channels) {
    for (const auto& [source, values] : random_images(channels)) {
      const auto x = scaled(values, type_range(source.type));
      const auto colours = channels <= 2 ? x[0] : x;
      for (const auto& [low, high] :
           {std::pair{1.0, 99.0}, {0.0, 100.0}, {12.5, 60.0}, {50.0, 50.0}}) {
        const auto expected =
            stretched(x, numpy_percentile(colours, low), numpy_percentile(colours, high));
        const auto found = to_float(source, percentile(low, high));
        // If both percentiles are equal, their rounding error is large compared to 1e-6.
        CHECK(torch::allclose(found, expected, 0, low == high ? 0.2 : 2e-6));
        CHECK(found.min().item<float>() >= 0);
        CHECK(found.max().item<float>() <= 1);
      }
    }
  }
}

TEST_CASE("to_float: every value of each type") {
  std::vector<uint16_t> all(65536);
  for (size_t v = 0; v < all.size(); ++v) all[v] = static_cast<uint16_t>(v);
  const auto ramp = to_float(image(Image::Type::kU16, 256, 256, 1, all), kTypeRange);
  CHECK(same(ramp[1].flatten(), torch::arange(65536, torch::kFloat32) / 65535));
}

TEST_CASE("to_float: a constant image does not divide by zero") {
  for (const uint8_t value : {0, 77, 255}) {
    const auto flat = bytes(4, 4, 3, std::vector<uint8_t>(48, value));
    CHECK(same(to_float(flat, kMinMax), torch::zeros({3, 4, 4})));
    CHECK(same(to_float(flat, percentile(1, 99)), torch::zeros({3, 4, 4})));
  }
  const auto bright = floats(1, 2, 1, {1e30F, 1e30F});
  CHECK(same(to_float(bright, kMinMax), torch::zeros({3, 1, 2})));
  const auto one = bytes(1, 1, 1, {9});
  CHECK(same(to_float(one, percentile(1, 99)), torch::zeros({3, 1, 1})));
}

TEST_CASE("to_float refuses values that are not finite, except in the alpha channel") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const float odd : {kNan, kInf, -kInf}) {
    for (const auto& intensity : {kTypeRange, kMinMax, percentile(1, 99)}) {
      const auto broken = floats(2, 1, 3, {1, 2, 3, 4, odd, 6});
      CHECK(code_of([&] { to_float(broken, intensity); }) == "IMAGE_UNSUPPORTED");
      CHECK_THROWS_WITH(to_float(broken, intensity), doctest::Contains("column 0, row 1"));
      CHECK(to_float(floats(1, 2, 2, {1, odd, 2, odd}), intensity).isfinite().all().item<bool>());
    }
  }
  const auto too_wide = floats(1, 2, 1, {-3e38F, 3e38F});
  CHECK(code_of([&] { to_float(too_wide, kMinMax); }) == "IMAGE_UNSUPPORTED");
}

TEST_CASE("to_float refuses an image whose data does not fit its size") {
  for (auto wrong :
       {bytes(2, 2, 1, {1, 2, 3}), bytes(2, 2, 5, std::vector<uint8_t>(20)), bytes(0, 2, 1, {}),
        bytes(-1, -4, 1, {1, 2, 3, 4}), bytes(1'000'000'000'000, 1'000'000'000'000, 1, {})}) {
    CHECK(code_of([&] { to_float(wrong, kTypeRange); }) == "INVALID_ARGUMENT");
  }
  auto short_words = bytes(2, 2, 1, {1, 2, 3, 4});
  short_words.type = Image::Type::kU16;
  CHECK(code_of([&] { to_float(short_words, kTypeRange); }) == "INVALID_ARGUMENT");
}

TEST_CASE("to_float refuses percentiles outside 0 to 100") {
  const Image grey = floats(1, 3, 1, {0.0F, 1.0F, 2.0F});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double wrong : {-0.1, 100.1, 1e300, nan}) {
    Intensity low{.kind = Intensity::Kind::kPercentile, .low = wrong, .high = 99};
    Intensity high{.kind = Intensity::Kind::kPercentile, .low = 1, .high = wrong};
    CHECK(code_of([&] { to_float(grey, low); }) == "INVALID_ARGUMENT");
    CHECK(code_of([&] { to_float(grey, high); }) == "INVALID_ARGUMENT");
  }
}

TEST_CASE("to_float: results do not depend on threads") {
  std::vector<uint8_t> values(size_t{300} * 400 * 3);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * 31 % 251);
  const auto large = bytes(300, 400, 3, values);
  const auto run = [&] { return to_float(large, percentile(1, 99)); };
  CHECK(same(with_threads(1, run), with_threads(2, run)));
}

}  // namespace pixels_test
