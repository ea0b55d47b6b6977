#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** A mask from height*width bytes in rows; every byte but 0 belongs to it. */
Rle encode(std::span<const uint8_t> pixels, uint32_t height, uint32_t width);

/** Sets the mask's pixels to 1 in height*width zeroed bytes in rows. Nothing outside the mask's box
 *  is touched: fresh memory from the system is zero already, and pages without a cell cost nothing.
 */
void decode(const RleView& mask, std::span<uint8_t> zeroed);

}  // namespace cellroute::mask
