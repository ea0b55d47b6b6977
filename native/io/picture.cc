#include "io/picture.h"

#include <string>

#include "error.h"

namespace cellroute::io {

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

}  // namespace cellroute::io
