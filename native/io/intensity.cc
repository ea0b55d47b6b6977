#include "io/intensity.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "error.h"

namespace cellroute::io {
namespace {

constexpr float kEps = 1e-6F;

template <typename T>
T element(const Image& image, int64_t index) {
  T value;
  std::memcpy(&value, image.bytes.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

/** Number of channels without alpha. */
int64_t colours(const Image& image) { return image.channels <= 2 ? 1 : 3; }

/** Calls visit(value, position) for every value except alpha. */
template <typename T, typename Visit>
void for_each_colour(const Image& image, Visit visit) {
  const int64_t pixels = image.width * image.height;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < colours(image); ++c) {
      visit(element<T>(image, p * image.channels + c), p);
    }
  }
}

/** The values of an image in increasing order, accessed by rank. */
class Histogram {
 public:
  template <typename T>
  explicit Histogram(const Image& image, T /*type*/)
      : counts_(size_t{std::numeric_limits<T>::max()} + 1) {
    for_each_colour<T>(image, [&](T value, int64_t) { ++counts_[value]; });
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
  explicit FloatValues(const Image& image) {
    values_.reserve(static_cast<size_t>(image.width * image.height * colours(image)));
    for_each_colour<float>(image, [&](float value, int64_t) { values_.push_back(value); });
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

template <typename Values>
IntensityRange range_of(Values values, const Image& image, const Intensity& intensity,
                        double type_range) {
  const int64_t count = image.width * image.height * colours(image);
  const bool min_max = intensity.kind == Intensity::Kind::kMinMax;
  const double low = min_max ? values.at(0) : percentile(values, count, intensity.low);
  const double high = min_max ? values.at(count - 1) : percentile(values, count, intensity.high);
  return {.low = static_cast<float>(low / type_range),
          .high = static_cast<float>(high / type_range)};
}

Scale scale_to(const IntensityRange& range) {
  const Scale scale{.low = range.low, .high = range.high, .width = range.high - range.low + kEps};
  if (!std::isfinite(scale.width)) {
    throw Error("IMAGE_UNSUPPORTED", "The image's values span more than float32 can hold");
  }
  return scale;
}

/** Computes one entry per value of the type, independent of the image's size. */
template <typename T>
std::vector<float> integer_table(const std::optional<IntensityRange>& range) {
  constexpr auto kMaxValue = std::numeric_limits<T>::max();
  std::vector<float> table(size_t{kMaxValue} + 1);
  for (size_t v = 0; v < table.size(); ++v) table[v] = static_cast<float>(v) / float{kMaxValue};
  if (range) {
    const Scale scale = scale_to(*range);
    for (float& value : table) value = scale(value);
  }
  return table;
}

void check_finite(const Image& image) {
  for_each_colour<float>(image, [&](float value, int64_t p) {
    if (std::isfinite(value)) return;
    throw Error("IMAGE_UNSUPPORTED", "The image's value at column " +
                                         std::to_string(p % image.width) + ", row " +
                                         std::to_string(p / image.width) + " is " +
                                         (std::isnan(value) ? "NaN" : "infinite"));
  });
}

}  // namespace

float Scale::operator()(float value) const { return (std::clamp(value, low, high) - low) / width; }

std::optional<IntensityRange> measure_range(const Image& image, const Intensity& intensity) {
  check(image);
  for (const double percentile : {intensity.low, intensity.high}) {
    // A rank outside the values would be read outside their memory.
    if (percentile >= 0 && percentile <= 100) continue;
    throw Error("INVALID_ARGUMENT", "A percentile of " + std::to_string(percentile));
  }
  if (image.type == Image::Type::kF32) check_finite(image);
  if (intensity.kind == Intensity::Kind::kTypeRange) return std::nullopt;
  switch (image.type) {
    case Image::Type::kU8:
      return range_of(Histogram(image, uint8_t{}), image, intensity, 255);
    case Image::Type::kU16:
      return range_of(Histogram(image, uint16_t{}), image, intensity, 65535);
    case Image::Type::kF32:
      return range_of(FloatValues(image), image, intensity, 1);
  }
  throw Error("INVALID_ARGUMENT", "Unknown type of pixel values");
}

FloatImage::FloatImage(const Image& image, const Intensity& intensity)
    : FloatImage(image, measure_range(image, intensity)) {}

FloatImage::FloatImage(const Image& image, const std::optional<IntensityRange>& range)
    : image_(&image) {
  check(image);
  switch (image.type) {
    case Image::Type::kU8:
      table_ = integer_table<uint8_t>(range);
      return;
    case Image::Type::kU16:
      table_ = integer_table<uint16_t>(range);
      return;
    case Image::Type::kF32:
      if (range) scale_ = scale_to(*range);
      return;
  }
  throw Error("INVALID_ARGUMENT", "Unknown type of pixel values");
}

int64_t FloatImage::channels() const { return colours(*image_); }

void FloatImage::read(int64_t channel, int64_t begin, int64_t end, float* values) const {
  const auto read = [&]<typename T>(T, auto map) {
    for (int64_t p = begin; p < end; ++p) {
      *values++ = map(element<T>(*image_, p * image_->channels + channel));
    }
  };
  switch (image_->type) {
    case Image::Type::kU8:
      return read(uint8_t{}, [this](uint8_t value) { return table_[value]; });
    case Image::Type::kU16:
      return read(uint16_t{}, [this](uint16_t value) { return table_[value]; });
    case Image::Type::kF32:
      if (scale_) return read(float{}, *scale_);
      return read(float{}, [](float value) { return value; });
  }
}

}  // namespace cellroute::io
