#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "io/image.h"

namespace cellroute::io {

/** How pixel values become floats. */
struct Intensity {
  enum class Kind : uint8_t {
    kTypeRange,   // 8 bits / 255, 16 bits / 65535, floats as they are: torchvision's
    kMinMax,      // then (x - min) / (max - min + 1e-6) over the image, its channels together
    kPercentile,  // the same from the low-th to the high-th percentile, clipped to these
  };

  Kind kind = Kind::kTypeRange;
  double low = 1;  // percentiles, 0 to 100, linear between values as numpy's default is
  double high = 99;
};

/** From low..high to 0..1, in float32 throughout as torch's would be. */
struct Scale {
  float low;
  float high;
  float width;  // high - low + 1e-6

  float operator()(float value) const;
};

/** An image's values as the network sees them. The image outlives it. */
class FloatImage {
 public:
  /** Looks at the whole image. Throws INVALID_ARGUMENT for what is none, IMAGE_UNSUPPORTED for a
   *  value that is not finite and for a range that float32 cannot hold. */
  FloatImage(const Image& image, const Intensity& intensity);

  /** 1 for grey, 3 for RGB: alpha is none. */
  int64_t channels() const;

  /** The float of each value that an integer type has; empty for floats. */
  const std::vector<float>& table() const { return table_; }

  /** One channel of the pixels begin..end, counted along the rows. Any thread. */
  void read(int64_t channel, int64_t begin, int64_t end, float* values) const;

 private:
  const Image* image_;
  std::vector<float> table_;    // of every value an integer type has
  std::optional<Scale> scale_;  // of floats; nothing leaves them as they are
};

}  // namespace cellroute::io
