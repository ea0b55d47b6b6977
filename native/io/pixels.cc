#include "io/pixels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>

#include "error.h"

namespace cellroute::io {
namespace {

constexpr float kEps = 1e-6F;

template <typename T>
T element(const Picture& picture, int64_t index) {
  T value;
  std::memcpy(&value, picture.bytes.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

/** Channels but the alpha. */
int64_t colours(const Picture& picture) { return picture.channels <= 2 ? 1 : 3; }

/** Calls visit(value, position) for every value that is not alpha. */
template <typename T, typename Visit>
void for_each_colour(const Picture& picture, Visit visit) {
  const int64_t pixels = picture.width * picture.height;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < colours(picture); ++c) {
      visit(element<T>(picture, p * picture.channels + c), p);
    }
  }
}

/** The values of a picture in rising order, asked by rank. */
class Histogram {
 public:
  template <typename T>
  explicit Histogram(const Picture& picture, T /*type*/)
      : counts_(size_t{std::numeric_limits<T>::max()} + 1) {
    for_each_colour<T>(picture, [&](T value, int64_t) { ++counts_[value]; });
  }

  double at(int64_t rank) {
    size_t value = 0;
    for (int64_t below = counts_[0]; below <= rank; below += counts_[value]) ++value;
    return static_cast<double>(value);
  }

 private:
  std::vector<int64_t> counts_;
};

class FloatValues {
 public:
  explicit FloatValues(const Picture& picture) {
    values_.reserve(static_cast<size_t>(picture.width * picture.height * colours(picture)));
    for_each_colour<float>(picture, [&](float value, int64_t) { values_.push_back(value); });
  }

  double at(int64_t rank) {
    std::nth_element(values_.begin(), values_.begin() + rank, values_.end());
    return values_[static_cast<size_t>(rank)];
  }

 private:
  std::vector<float> values_;
};

/** numpy.percentile(values, q, method="linear"). */
template <typename Values>
double percentile(Values& values, int64_t count, double q) {
  const double rank = q / 100.0 * static_cast<double>(count - 1);
  const auto below = static_cast<int64_t>(rank);
  const double low = values.at(below);
  const double high = values.at(std::min(below + 1, count - 1));
  return std::lerp(low, high, rank - static_cast<double>(below));
}

struct Range {
  float low;
  float high;
};

template <typename Values>
Range range_of(Values values, const Picture& picture, const Intensity& intensity,
               double type_range) {
  const int64_t count = picture.width * picture.height * colours(picture);
  const bool min_max = intensity.kind == Intensity::Kind::kMinMax;
  const double low = min_max ? values.at(0) : percentile(values, count, intensity.low);
  const double high = min_max ? values.at(count - 1) : percentile(values, count, intensity.high);
  return {static_cast<float>(low / type_range), static_cast<float>(high / type_range)};
}

/** Values of the type range to what the network sees, in float32 throughout as torch's would be. */
class Scale {
 public:
  explicit Scale(Range range) : low_(range.low), high_(range.high), width_(high_ - low_ + kEps) {
    if (!std::isfinite(width_)) {
      throw Error("IMAGE_UNSUPPORTED", "The picture's values span more than float32 can hold");
    }
  }

  float operator()(float value) const { return (std::clamp(value, low_, high_) - low_) / width_; }

 private:
  float low_;
  float high_;
  float width_;
};

/** Writes map(value) of every pixel to the three planes. */
template <typename T, typename Map>
torch::Tensor planes(const Picture& picture, Map map) {
  auto result = torch::empty({3, picture.height, picture.width}, torch::kFloat32);
  const int64_t plane = picture.width * picture.height;
  const int64_t step = colours(picture) == 1 ? 0 : 1;
  auto* out = result.mutable_data_ptr<float>();
  at::parallel_for(0, plane, at::internal::GRAIN_SIZE, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t c = 0; c < 3; ++c) {
        out[c * plane + p] = map(element<T>(picture, p * picture.channels + c * step));
      }
    }
  });
  return result;
}

/** As many values as the type has are worked out, whatever the size of the picture. */
template <typename T>
torch::Tensor integers_to_float(const Picture& picture, const Intensity& intensity) {
  constexpr auto kLargest = std::numeric_limits<T>::max();
  std::vector<float> table(size_t{kLargest} + 1);
  for (size_t v = 0; v < table.size(); ++v) table[v] = static_cast<float>(v) / float{kLargest};
  if (intensity.kind != Intensity::Kind::kTypeRange) {
    const Scale scale(range_of(Histogram(picture, T{}), picture, intensity, kLargest));
    for (float& value : table) value = scale(value);
  }
  return planes<T>(picture, [&](T value) { return table[value]; });
}

torch::Tensor floats_to_float(const Picture& picture, const Intensity& intensity) {
  for_each_colour<float>(picture, [&](float value, int64_t p) {
    if (std::isfinite(value)) return;
    throw Error("IMAGE_UNSUPPORTED", "The picture's value at column " +
                                         std::to_string(p % picture.width) + ", row " +
                                         std::to_string(p / picture.width) + " is " +
                                         (std::isnan(value) ? "NaN" : "infinite"));
  });
  if (intensity.kind == Intensity::Kind::kTypeRange) {
    return planes<float>(picture, [](float value) { return value; });
  }
  const Scale scale(range_of(FloatValues(picture), picture, intensity, 1.0));
  return planes<float>(picture, scale);
}

}  // namespace

size_t bytes_per_value(Picture::Type type) {
  switch (type) {
    case Picture::Type::kU8:
      return sizeof(uint8_t);
    case Picture::Type::kU16:
      return sizeof(uint16_t);
    case Picture::Type::kF32:
      return sizeof(float);
  }
  throw Error("INVALID_ARGUMENT", "Unknown type of pixel values");
}

void check(const Picture& picture) {
  // Sides this long leave the products below far from overflow.
  constexpr int64_t kLongest = 268'435'456;
  if (picture.width < 1 || picture.height < 1 || picture.width > kLongest ||
      picture.height > kLongest || picture.channels < 1 || picture.channels > 4) {
    throw Error("INVALID_ARGUMENT", "A picture of " + std::to_string(picture.width) + " x " +
                                        std::to_string(picture.height) + " pixels with " +
                                        std::to_string(picture.channels) + " channels");
  }
  const auto values = static_cast<size_t>(picture.width * picture.height * picture.channels);
  if (picture.bytes.size() != values * bytes_per_value(picture.type)) {
    throw Error("INVALID_ARGUMENT", "The picture's data has " +
                                        std::to_string(picture.bytes.size()) +
                                        " bytes, its size needs " +
                                        std::to_string(values * bytes_per_value(picture.type)));
  }
}

torch::Tensor to_float(const Picture& picture, const Intensity& intensity) {
  check(picture);
  switch (picture.type) {
    case Picture::Type::kU8:
      return integers_to_float<uint8_t>(picture, intensity);
    case Picture::Type::kU16:
      return integers_to_float<uint16_t>(picture, intensity);
    case Picture::Type::kF32:
      return floats_to_float(picture, intensity);
  }
  throw Error("INVALID_ARGUMENT", "Unknown type of pixel values");
}

}  // namespace cellroute::io
