#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cellroute::io {

/** A decoded picture: rows from the top, channels interleaved, in the machine's byte order. */
struct Picture {
  enum class Type : uint8_t { kU8, kU16, kF32 };

  Type type = Type::kU8;
  std::vector<uint8_t> bytes;
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;  // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
};

size_t bytes_per_value(Picture::Type type);

/** Throws INVALID_ARGUMENT where the bytes are not those of the size, or the size is no picture's.
 */
void check(const Picture& picture);

/** How pixel values become floats. */
struct Intensity {
  enum class Kind : uint8_t {
    kTypeRange,   // 8 bits / 255, 16 bits / 65535, floats as they are: torchvision's
    kMinMax,      // then (x - min) / (max - min + 1e-6) over the picture, its channels together
    kPercentile,  // the same from the low-th to the high-th percentile, clipped to these
  };

  Kind kind = Kind::kTypeRange;
  double low = 1;  // percentiles, 0 to 100, linear between values as numpy's default is
  double high = 99;
};

/** A picture as [3, H, W] float32: alpha is dropped, grey repeated. Throws IMAGE_UNSUPPORTED for a
 *  value that is not finite and for a range that float32 cannot hold. */
torch::Tensor to_float(const Picture& picture, const Intensity& intensity);

}  // namespace cellroute::io
