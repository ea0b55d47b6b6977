#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** Pixels of any of the masks; no pixels where there are no masks. Masks are of the given size. */
Rle union_of(std::span<const RleView> masks, uint32_t height, uint32_t width);

/** Pixels of all of the masks; the whole image where there are no masks. */
Rle intersection_of(std::span<const RleView> masks, uint32_t height, uint32_t width);

}  // namespace cellroute::mask
