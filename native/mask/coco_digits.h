#pragma once

#include <cstddef>
#include <cstdint>

/** The digits of COCO's compressed strings; see from_coco(). */
namespace cellroute::mask::coco {

inline constexpr char kFirstDigit = '0';
inline constexpr int64_t kContinuationBit = 0x20;
inline constexpr int64_t kSignBit = 0x10;
inline constexpr int64_t kDigitMask = 0x1f;
// 32 bits and a sign need seven groups of five bits.
inline constexpr int kMaxGroups = 7;
// From the fourth on, a count is stored as its difference from the count two before it.
inline constexpr int kFirstDifference = 3;

/** The digit's value, 0 to 63. Any other result means that the character is not a COCO digit. */
inline uint32_t group_of(char character) {
  return static_cast<unsigned char>(character) - uint32_t{kFirstDigit};
}

/** End of the number that starts here, or null if there is no valid number. */
inline const char* parse_number(const char* next, const char* end, int64_t& value) {
  value = 0;
  for (int bits = 0; bits < 5 * kMaxGroups && next != end; bits += 5) {
    const int64_t group = group_of(*next++);
    if (group >= 2 * kContinuationBit) return nullptr;
    value |= (group & kDigitMask) << bits;
    if (group & kContinuationBit) continue;
    if (group & kSignBit) value |= -(int64_t{1} << (bits + 5));
    return next;
  }
  return nullptr;
}

}  // namespace cellroute::mask::coco
