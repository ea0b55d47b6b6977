// Polygons with any numbers: a valid mask, or cellroute::Error.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "error.h"
#include "mask/polygon.h"

using namespace cellroute;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // One byte per side; then the numbers, either as doubles or as 256ths of a pixel, so that
  // outlines are short.
  if (size < 3) return 0;
  const uint32_t height = uint32_t{data[0]} + 1, width = uint32_t{data[1]} + 1;
  const bool whole = data[2] & 1;
  data += 3;
  size -= 3;
  std::vector<double> points;
  if (whole) {
    points.resize(size / sizeof(double));
    if (!points.empty()) std::memcpy(points.data(), data, points.size() * sizeof(double));
  } else {
    for (size_t i = 0; i + 1 < size; i += 2) {
      int16_t value;
      std::memcpy(&value, data + i, sizeof(value));
      points.push_back(value / 256.0);
    }
  }
  try {
    const auto rle = mask::from_polygon(points, height, width);
    mask::check_counts(rle.height, rle.width, rle.counts);
  } catch (const Error& error) {
    if (error.code() != "INVALID_ARGUMENT") std::abort();
  }
  return 0;
}
