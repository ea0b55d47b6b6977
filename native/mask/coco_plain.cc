#include "mask/coco_plain.h"

#include <bit>
#include <cstring>
#include <limits>

#include "mask/coco_digits.h"

namespace cellroute::mask {
namespace {

using namespace coco;

constexpr int kWord = 8;

constexpr uint64_t in_every_byte(uint64_t value) { return value * 0x0101010101010101; }

/** The characters of eight counts, if each has one character. */
struct OneDigitCounts {
  /** One byte each: 0 to 31 represent -16 to 15. */
  uint64_t values;
  int count;
};

OneDigitCounts read_one_digit_counts(const char* text) {
  static_assert(std::endian::native == std::endian::little, "The first character is the lowest");
  uint64_t bytes;
  std::memcpy(&bytes, text, kWord);
  // A character below the first valid one borrows only from bytes after it.
  bytes -= in_every_byte(kFirstDigit);
  const uint64_t others = bytes & in_every_byte(0xff & ~kDigitMask);
  return {(bytes & in_every_byte(kDigitMask)) ^ in_every_byte(kSignBit),
          std::countr_zero(others) / 8};
}

/** Writes counts given by their differences from the counts two before them. Overwrites memory
 *  after the last one. */
void write_one_digit_counts(uint64_t values, uint32_t* out) {
  // Sums of every second byte are at most 4 * 31, so they do not overflow.
  values += values << 16;
  values += values << 32;
  const uint32_t before[] = {out[-2], out[-1]};
  for (uint32_t k = 0; k < uint32_t{kWord}; ++k) {
    const auto sum = static_cast<uint32_t>(values >> (8 * k) & 0xff);
    out[k] = before[k % 2] + sum - static_cast<uint32_t>(kSignBit) * (k / 2 + 1);
  }
}

}  // namespace

size_t read_plain_coco(std::string_view text, uint32_t pixels, std::span<uint32_t> counts) {
  // In a larger image, a negative count could pass for a valid one.
  const bool by_word = pixels <= static_cast<uint32_t>(std::numeric_limits<int32_t>::max());
  uint32_t* const begin = counts.data();
  uint32_t* out = begin;
  const char* next = text.data();
  const char* const end = next + text.size();
  while (next != end) {
    if (by_word && out - begin >= kFirstDifference && end - next >= kWord) {
      const auto short_counts = read_one_digit_counts(next);
      write_one_digit_counts(short_counts.values, out);
      next += short_counts.count;
      out += short_counts.count;
      if (short_counts.count == kWord) continue;
    }
    int64_t count;
    next = parse_number(next, end, count);
    if (next == nullptr) return 0;
    if (out - begin >= kFirstDifference) count += out[-2];
    if (count < 0 || count > pixels) return 0;
    *out++ = static_cast<uint32_t>(count);
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace cellroute::mask
