#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cellroute::io {

/** A decoded image: rows from the top, channels interleaved, in the machine's byte order. */
struct Image {
  enum class Type : uint8_t { kU8, kU16, kF32 };

  Type type = Type::kU8;
  std::vector<uint8_t> bytes;
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;  // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
};

size_t bytes_per_value(Image::Type type);

/** Throws INVALID_ARGUMENT where the bytes are not those of the size, or the size is no image's.
 */
void check(const Image& image);

}  // namespace cellroute::io
