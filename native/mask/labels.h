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

/** A rectangle of an image, in pixels. */
struct Window {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t width = 0;
  uint32_t height = 0;
};

/** Writes ids[i] into the pixels of mask i of a zeroed row-major image of the window, which may
 *  reach beyond the image. A pixel that several masks share gets the first of them. */
template <class Label>
void to_labels_in(std::span<const RleView> masks, std::span<const uint32_t> ids,
                  const Window& window, std::span<Label> zeroed);

}  // namespace cellroute::mask
