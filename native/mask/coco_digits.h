#pragma once

#include <cstddef>
#include <cstdint>

/** How COCO's strings are written: see from_coco(). */
namespace cellroute::mask::coco {

inline constexpr char kFirst = '0';
inline constexpr int64_t kMore = 0x20;
inline constexpr int64_t kSign = 0x10;
inline constexpr int64_t kDigit = 0x1f;
// 32 bits and a sign need seven groups of five.
inline constexpr int kMostGroups = 7;
// Counts are differences from the one two before them, but for the first three.
inline constexpr int kFirstDifference = 3;

/** 0 to 63; anything else is no character of such a string. */
inline uint32_t group_of(char character) {
  return static_cast<unsigned char>(character) - uint32_t{kFirst};
}

/** Where the number ends, or null where it is none. */
inline const char* parse_number(const char* next, const char* end, int64_t& value) {
  value = 0;
  for (int bits = 0; bits < 5 * kMostGroups && next != end; bits += 5) {
    const int64_t group = group_of(*next++);
    if (group >= 2 * kMore) return nullptr;
    value |= (group & kDigit) << bits;
    if (group & kMore) continue;
    if (group & kSign) value |= -(int64_t{1} << (bits + 5));
    return next;
  }
  return nullptr;
}

}  // namespace cellroute::mask::coco
