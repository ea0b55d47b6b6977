#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "io/image.h"

namespace cellroute::io {

/** Rule that converts pixel values to floats. */
struct Intensity {
  enum class Kind : uint8_t {
    kTypeRange,   // 8 bits / 255, 16 bits / 65535, floats unchanged: torchvision's rule
    kMinMax,      // then (x - min) / (max - min + 1e-6) over the image and all its channels
    kPercentile,  // the same between two percentiles, clipped to them
  };

  Kind kind = Kind::kTypeRange;
  double low = 1;  // percentiles, 0 to 100, linear between values like numpy's default
  double high = 99;

  bool operator==(const Intensity&) const = default;
};

/** The values that become 0 and about 1: shares of an integer type's range, or floats as they
 *  are. */
struct IntensityRange {
  float low;
  float high;
};

/** The range that a rule finds in an image; none for kTypeRange. Reads the whole image. Throws
 *  INVALID_ARGUMENT for an invalid image, IMAGE_UNSUPPORTED for a value that is not finite and for
 *  a range that float32 cannot represent. */
std::optional<IntensityRange> measure_range(const Image& image, const Intensity& intensity);

/** Maps low..high to 0..1, in float32 throughout as in torch. */
struct Scale {
  float low;
  float high;
  float width;  // high - low + 1e-6

  float operator()(float value) const;
};

/** Converts an image's values to the network's input. The image must outlive it. */
class FloatImage {
 public:
  /** With the range that the rule finds in the image: throws what measure_range does. */
  FloatImage(const Image& image, const Intensity& intensity);

  /** With a range that was measured before, over this image or over one that it is a part of. */
  FloatImage(const Image& image, const std::optional<IntensityRange>& range);

  /** 1 for grey, 3 for RGB; alpha is not counted. */
  int64_t channels() const;

  /** The float for each value of an integer type; empty for floats. */
  const std::vector<float>& table() const { return table_; }

  /** Reads a channel of the pixels begin..end in row order. May be called on any thread. */
  void read(int64_t channel, int64_t begin, int64_t end, float* values) const;

 private:
  const Image* image_;
  std::vector<float> table_;    // for each value of an integer type
  std::optional<Scale> scale_;  // for floats; without it they stay unchanged
};

}  // namespace cellroute::io
