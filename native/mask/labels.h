#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

struct Labelled {
  std::vector<Rle> masks;
  /** The label of each mask, in increasing order. */
  std::vector<uint32_t> ids;
};

/** One mask for each value except 0 in a row-major label image of height * width. Label is
 *  uint8_t, uint16_t or uint32_t. */
template <class Label>
Labelled from_labels(std::span<const Label> labels, uint32_t height, uint32_t width);

/** Writes i + 1 into the pixels of mask i of a zeroed row-major image. A pixel that several
 *  masks share gets the first of them. Label is uint16_t or uint32_t; throws INVALID_ARGUMENT if
 *  it cannot number that many masks. */
template <class Label>
void to_labels(std::span<const RleView> masks, std::span<Label> zeroed);

}  // namespace cellroute::mask
