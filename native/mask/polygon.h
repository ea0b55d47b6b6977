#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** The pixels of a closed polygon (x y x y ..., in pixels), identical to pycocotools'
 *  frPyObjects: the outline is drawn on a grid five times as fine, and crossing the middle of a
 *  column starts or ends a run. Parts outside the image are cut off. Where the outline crosses
 *  itself, the even-odd rule applies.
 *
 *  Throws INVALID_ARGUMENT for an odd number of values or fewer than three corners, and, with
 *  the index of the value, for a value that is not finite or too far outside the image. */
Rle from_polygon(std::span<const double> points, uint32_t height, uint32_t width);

}  // namespace cellroute::mask
