#pragma once

#include <cstdint>

#include "ops/box_overlap.h"

// NMS with words of bits, as on a GPU: overlaps of all pairs are computed first, then boxes are
// selected in order.
namespace cellroute::ops {

/** Boxes per word. */
inline constexpr int64_t kWord = 64;

/** Bit j % 64: whether box i, if kept, suppresses box j, which is one of this word's 64 boxes,
 *  comes after i and has the same group. boxes [size, 4]; groups [size] in increasing order, or
 *  null for one group. */
template <typename T>
CELLROUTE_HOST_DEVICE inline uint64_t overlap_word(const T* boxes, const int64_t* groups,
                                                   int64_t size, int64_t i, int64_t word,
                                                   double iou_threshold) {
  const T* a = boxes + 4 * i;
  const T a_area = (a[2] - a[0]) * (a[3] - a[1]);
  const int64_t begin = word * kWord;
  const int64_t end = begin + kWord < size ? begin + kWord : size;
  uint64_t found = 0;
  for (int64_t j = i + 1 > begin ? i + 1 : begin; j < end; ++j) {
    // Groups are sorted: after the first box of another group none of this group follows.
    if (groups != nullptr && groups[j] != groups[i]) break;
    const T* b = boxes + 4 * j;
    const T b_area = (b[2] - b[0]) * (b[3] - b[1]);
    const T iou = overlap(a[0], a[1], a[2], a[3], a_area, b[0], b[1], b[2], b[3], b_area);
    if (static_cast<double>(iou) > iou_threshold) found |= uint64_t{1} << (j - begin);
  }
  return found;
}

/** The boxes of a word that are kept. `removed` are those suppressed by boxes of earlier words,
 *  `diagonal` [rows] those that each box of the word suppresses in it. */
CELLROUTE_HOST_DEVICE inline uint64_t kept_word(uint64_t removed, const uint64_t* diagonal,
                                                int64_t rows) {
  uint64_t kept = 0;
  for (int64_t r = 0; r < rows; ++r) {
    if ((removed >> r & 1) != 0) continue;
    kept |= uint64_t{1} << r;
    removed |= diagonal[r];
  }
  return kept;
}

}  // namespace cellroute::ops
