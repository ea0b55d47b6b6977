#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

struct Labelled {
  std::vector<Rle> masks;
  /** The label of each mask, rising. */
  std::vector<uint32_t> ids;
};

/** One mask for every value but 0 in height*width labels in rows. Label is uint8_t, uint16_t or
 *  uint32_t. */
template <class Label>
Labelled from_labels(std::span<const Label> labels, uint32_t height, uint32_t width);

/** Writes i + 1 into the pixels of mask i of a zeroed image in rows; the first mask keeps a pixel
 *  that several have. Label is uint16_t or uint32_t; throws INVALID_ARGUMENT where it cannot
 *  number so many masks. */
template <class Label>
void to_labels(std::span<const RleView> masks, std::span<Label> zeroed);

}  // namespace cellroute::mask
