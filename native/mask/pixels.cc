#include "mask/pixels.h"

#include <bit>
#include <cstring>
#include <string>

#include "error.h"
#include "mask/transpose.h"

namespace cellroute::mask {
namespace {

constexpr uint64_t kHigh = 0x8080808080808080;

uint64_t load(const uint8_t* pixels) {
  uint64_t word;
  std::memcpy(&word, pixels, sizeof(word));
  return word;
}

/** 0x80 in every byte of the word that is not 0. */
uint64_t nonzero_bytes(uint64_t word) { return (((word & ~kHigh) + ~kHigh) | word) & kHigh; }

/** Gathers the 0x80s of eight bytes into eight bits, the first byte lowest. */
uint64_t gather(uint64_t high_bits) { return ((high_bits >> 7) * 0x0102040810204080) >> 56; }

/** One bit a pixel. */
uint64_t pack64(const uint8_t* pixels) {
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits |= gather(nonzero_bytes(load(pixels + 8 * i))) << (8 * i);
  return bits;
}

bool all_zero64(const uint8_t* pixels) {
  uint64_t any = 0;
  for (int i = 0; i < 8; ++i) any |= load(pixels + 8 * i);
  return any == 0;
}

Bounds row_bounds(std::span<const uint8_t> pixels) {
  static_assert(std::endian::native == std::endian::little, "gather() takes bytes in this order");
  Bounds bounds;
  bool inside = false;
  size_t i = 0;
  for (; i + 64 <= pixels.size(); i += 64) {
    if (!inside && all_zero64(&pixels[i])) continue;
    const uint64_t bits = pack64(&pixels[i]);
    for (uint64_t changes = bits ^ (bits << 1 | inside); changes != 0; changes &= changes - 1) {
      bounds.push_back(static_cast<uint32_t>(i) + std::countr_zero(changes));
    }
    inside = bits >> 63;
  }
  for (; i < pixels.size(); ++i) {
    if ((pixels[i] != 0) == inside) continue;
    bounds.push_back(static_cast<uint32_t>(i));
    inside = !inside;
  }
  if (inside) bounds.push_back(static_cast<uint32_t>(i));
  return bounds;
}

void check_size(size_t pixels, uint32_t height, uint32_t width) {
  const uint32_t expected = checked_pixels(height, width);
  if (pixels == expected) return;
  throw Error("INVALID_ARGUMENT", "Expected " + std::to_string(expected) +
                                      " pixels for a mask of " + std::to_string(height) +
                                      " rows of " + std::to_string(width) + " but received " +
                                      std::to_string(pixels));
}

}  // namespace

Rle encode(std::span<const uint8_t> pixels, uint32_t height, uint32_t width) {
  check_size(pixels.size(), height, width);
  return from_bounds(height, width, transpose(row_bounds(pixels), width, height));
}

void decode(const RleView& mask, std::span<uint8_t> zeroed) {
  check_size(zeroed.size(), mask.height, mask.width);
  const auto rows = transpose(run_bounds(mask), mask.height, mask.width);
  for (size_t i = 0; i < rows.size(); i += 2) {
    std::memset(&zeroed[rows[i]], 1, rows[i + 1] - rows[i]);
  }
}

}  // namespace cellroute::mask
