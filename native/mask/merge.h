#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** Pixels that belong to at least one mask (none if there are no masks). All masks have the
 *  given size. */
Rle union_of(std::span<const RleView> masks, uint32_t height, uint32_t width);

/** Pixels that belong to all masks (the whole image if there are none). All masks have the given
 *  size. */
Rle intersection_of(std::span<const RleView> masks, uint32_t height, uint32_t width);

}  // namespace cellroute::mask
