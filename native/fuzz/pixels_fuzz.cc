// Pixels of any type, size and number: finite floats, or cellroute::Error.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "error.h"
#include "io/image.h"
#include "io/intensity.h"

using namespace cellroute;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Type, intensity rule, channels, one byte that makes the sizes wrong, two per side, two
  // percentiles; then the pixels.
  constexpr size_t kHeader = 10;
  if (size < kHeader) return 0;
  io::Image image;
  // One of eight has 16 bits, because a table of all values is made for it.
  using Type = io::Image::Type;
  constexpr Type kTypes[] = {Type::kU8, Type::kF32, Type::kU8, Type::kF32,
                             Type::kU8, Type::kF32, Type::kU8, Type::kU16};
  image.type = kTypes[data[0] % 8];
  io::Intensity intensity;
  intensity.kind = static_cast<io::Intensity::Kind>(data[1] % 3);
  image.channels = data[2] % 6;
  uint16_t sides[2];
  std::memcpy(sides, data + 4, sizeof(sides));
  image.width = sides[0] % 24;
  image.height = sides[1] % 24;
  if (data[3] & 1) image.width = -image.width;
  if (data[3] & 2) image.height = int64_t{sides[1]} << 48;
  intensity.low = data[8] / 2.5;
  intensity.high = data[9] / 2.5;
  image.bytes.assign(data + kHeader, data + size);
  // Usually as many bytes as the size needs, because otherwise few images would be accepted.
  if (!(data[3] & 4) && image.width > 0 && image.height > 0 && image.height < 24) {
    image.bytes.resize(static_cast<size_t>(image.width * image.height * image.channels) *
                       io::bytes_per_value(image.type));
  }
  try {
    io::check(image);
    const io::FloatImage floats(image, intensity);
    const int64_t pixels = image.width * image.height;
    std::vector<float> values(static_cast<size_t>(pixels));
    for (int64_t channel = 0; channel < floats.channels(); ++channel) {
      floats.read(channel, 0, pixels, values.data());
      floats.read(channel, pixels / 3, pixels / 2, values.data());
    }
  } catch (const Error& error) {
    if (error.code() != "INVALID_ARGUMENT" && error.code() != "IMAGE_UNSUPPORTED") std::abort();
  }
  return 0;
}
