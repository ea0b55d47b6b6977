#include "io/image.h"

#include <string>

#include "error.h"

namespace cellroute::io {

size_t bytes_per_value(Image::Type type) {
  switch (type) {
    case Image::Type::kU8:
      return sizeof(uint8_t);
    case Image::Type::kU16:
      return sizeof(uint16_t);
    case Image::Type::kF32:
      return sizeof(float);
  }
  throw Error("INVALID_ARGUMENT", "Unknown type of pixel values");
}

void check(const Image& image) {
  // With sides up to this length the products below are far from overflow.
  constexpr int64_t kLongest = 268'435'456;
  if (image.width < 1 || image.height < 1 || image.width > kLongest || image.height > kLongest ||
      image.channels < 1 || image.channels > 4) {
    throw Error("INVALID_ARGUMENT", "An image of " + std::to_string(image.width) + " x " +
                                        std::to_string(image.height) + " pixels with " +
                                        std::to_string(image.channels) + " channels");
  }
  const auto values = static_cast<size_t>(image.width * image.height * image.channels);
  if (image.bytes.size() != values * bytes_per_value(image.type)) {
    throw Error("INVALID_ARGUMENT", "The image's data has " + std::to_string(image.bytes.size()) +
                                        " bytes, its size needs " +
                                        std::to_string(values * bytes_per_value(image.type)));
  }
}

}  // namespace cellroute::io
