#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cellroute::io {

/** A decoded image: rows from the top, interleaved channels, native byte order. */
struct Image {
  enum class Type : uint8_t { kU8, kU16, kF32 };

  Type type = Type::kU8;
  std::vector<uint8_t> bytes;
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;  // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
};

size_t bytes_per_value(Image::Type type);

/** Throws INVALID_ARGUMENT if the number of bytes does not fit the size or the size is not
 *  valid. */
void check(const Image& image);

}  // namespace cellroute::io
