#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** A mask from height * width row-major bytes. Every byte except 0 belongs to it. */
Rle encode(std::span<const uint8_t> pixels, uint32_t height, uint32_t width);

/** Sets the mask's pixels to 1 in height * width zeroed row-major bytes. Nothing outside the
 *  mask's box is touched: new memory from the system is already zero, and pages without a cell
 *  are never allocated. */
void decode(const RleView& mask, std::span<uint8_t> zeroed);

}  // namespace cellroute::mask
