#include "io/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine/parallel.h"
#include "error.h"

namespace cellroute::io {
namespace {

// Pillow's arithmetic: the image is resized along the rows, rounded to its type, and then along the
// columns. Bytes are summed with fixed-point weights, floats in double.
struct ByteSum {
  using Value = uint8_t;
  using Weight = int32_t;
  using Sum = int32_t;
  static constexpr Sum kOne = 4'194'304;  // 22 bits of fraction
  static constexpr Sum kStart = kOne / 2;

  // A triangle has no negative weights, so adding a half rounds.
  static Weight weight(double exact) { return static_cast<Weight>(std::floor(exact * kOne + 0.5)); }
  static Value value(Sum sum) { return static_cast<Value>(std::min<Sum>(sum / kOne, 255)); }
};

struct FloatSum {
  using Value = float;
  using Weight = double;
  using Sum = double;
  static constexpr Sum kStart = 0;

  static Weight weight(double exact) { return exact; }
  static Value value(Sum sum) { return static_cast<Value>(sum); }
};

/** The source pixels that contribute to one target pixel on one axis, starting at `first`, one
 *  per weight. */
template <typename Weight>
struct Taps {
  int64_t first;
  std::vector<Weight> weights;
};

template <typename Kind>
std::vector<Taps<typename Kind::Weight>> windows(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  // When reducing, the triangle is widened to cover the source; when enlarging, it interpolates.
  const double support = std::max(scale, 1.0);
  std::vector<Taps<typename Kind::Weight>> result(static_cast<size_t>(to));
  std::vector<double> exact;
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first =
        std::max<int64_t>(static_cast<int64_t>(std::floor(centre - support + 0.5)), 0);
    const auto last = std::min(static_cast<int64_t>(std::floor(centre + support + 0.5)), from);
    exact.clear();
    double total = 0;
    for (int64_t source = first; source < last; ++source) {
      const double distance = (static_cast<double>(source) - centre + 0.5) * (1.0 / support);
      exact.push_back(std::max(1.0 - std::abs(distance), 0.0));
      total += exact.back();
    }
    auto& window = result[static_cast<size_t>(i)];
    window.first = first;
    for (const double weight : exact) window.weights.push_back(Kind::weight(weight / total));
  }
  return result;
}

/** One pass: the middle dimension of [outer, from, inner] becomes `to` long. Rows are resized
 *  with the channels as inner dimension, columns with whole rows. */
template <typename Kind>
std::vector<typename Kind::Value> pass(const std::vector<typename Kind::Value>& source,
                                       int64_t outer, int64_t from, int64_t to, int64_t inner) {
  if (from == to) return source;
  const auto axis = windows<Kind>(from, to);
  std::vector<typename Kind::Value> target(static_cast<size_t>(outer * to * inner));
  parallel_for(0, outer * to, 64, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const auto& window = axis[static_cast<size_t>(at % to)];
      const auto* in = source.data() + ((at / to) * from + window.first) * inner;
      auto* out = target.data() + at * inner;
      for (int64_t i = 0; i < inner; ++i) {
        auto sum = Kind::kStart;
        for (size_t w = 0; w < window.weights.size(); ++w) {
          sum += in[static_cast<int64_t>(w) * inner + i] * window.weights[w];
        }
        out[i] = Kind::value(sum);
      }
    }
  });
  return target;
}

template <typename Kind>
std::vector<typename Kind::Value> resize_values(const std::vector<typename Kind::Value>& values,
                                                const Image& image, int64_t height, int64_t width) {
  const auto rows = [&](const auto& source, int64_t source_height) {
    return pass<Kind>(source, source_height, image.width, width, image.channels);
  };
  const auto columns = [&](const auto& source, int64_t source_width) {
    return pass<Kind>(source, 1, image.height, height, source_width * image.channels);
  };
  // Pillow 13's order; version 11 always started with the rows.
  const bool columns_first =
      height < image.height && image.height - height > 2 * (image.width - width);
  if (columns_first) return rows(columns(values, image.width), height);
  return columns(rows(values, image.height), width);
}

template <typename T>
std::vector<T> values_of(const Image& image) {
  std::vector<T> values(image.bytes.size() / sizeof(T));
  std::memcpy(values.data(), image.bytes.data(), image.bytes.size());
  return values;
}

template <typename T>
std::vector<uint8_t> bytes_of(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<uint8_t> resize_bytes(const Image& image, int64_t height, int64_t width) {
  switch (image.type) {
    case Image::Type::kU8:
      return resize_values<ByteSum>(image.bytes, image, height, width);
    case Image::Type::kU16: {
      const auto integers = values_of<uint16_t>(image);
      const std::vector<float> floats(integers.begin(), integers.end());
      const auto resized = resize_values<FloatSum>(floats, image, height, width);
      std::vector<uint16_t> rounded(resized.size());
      std::ranges::transform(resized, rounded.begin(), [](float value) {
        return static_cast<uint16_t>(std::clamp(std::round(value), 0.0F, 65535.0F));
      });
      return bytes_of(rounded);
    }
    case Image::Type::kF32:
      return bytes_of(resize_values<FloatSum>(values_of<float>(image), image, height, width));
  }
  throw Error("INVALID_ARGUMENT", "Unknown type of pixel values");
}

Image crop(const Image& image, const Region& region) {
  const auto [left, top, width, height] = region;
  const auto pixel = static_cast<size_t>(image.channels) * bytes_per_value(image.type);
  Image result{.type = image.type,
               .bytes = {},
               .width = width,
               .height = height,
               .channels = image.channels};
  result.bytes.reserve(static_cast<size_t>(width * height) * pixel);
  for (int64_t y = top; y < top + height; ++y) {
    const auto* row = image.bytes.data() + static_cast<size_t>(y * image.width + left) * pixel;
    result.bytes.insert(result.bytes.end(), row, row + static_cast<size_t>(width) * pixel);
  }
  return result;
}

void check_target(int64_t height, int64_t width) {
  constexpr int64_t kLongest = 65'536;
  if (height < 1 || width < 1 || height > kLongest || width > kLongest) {
    throw Error("INVALID_ARGUMENT", "Cannot resize to " + std::to_string(width) + " x " +
                                        std::to_string(height) + " pixels");
  }
}

}  // namespace

Image resize(const Image& image, int64_t height, int64_t width) {
  check(image);
  check_target(height, width);
  return {.type = image.type,
          .bytes = resize_bytes(image, height, width),
          .width = width,
          .height = height,
          .channels = image.channels};
}

Region centred_part(int64_t width, int64_t height, int64_t target_width, int64_t target_height) {
  const double ratio = std::min(static_cast<double>(width) / static_cast<double>(target_width),
                                static_cast<double>(height) / static_cast<double>(target_height));
  const auto part = [ratio](int64_t target) {
    return std::max<int64_t>(static_cast<int64_t>(ratio * static_cast<double>(target)), 1);
  };
  const int64_t part_width = part(target_width), part_height = part(target_height);
  return {.left = (width - part_width) / 2,
          .top = (height - part_height) / 2,
          .width = part_width,
          .height = part_height};
}

Image resize_crop(const Image& image, int64_t height, int64_t width) {
  check(image);
  check_target(height, width);
  return resize(crop(image, centred_part(image.width, image.height, width, height)), height, width);
}

}  // namespace cellroute::io
