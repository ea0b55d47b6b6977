#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** The pixels of a closed polygon, x y x y … in pixels, pixel for pixel as pycocotools' frPyObjects
 *  draws them: on a grid five times as fine, where a crossing of a column's middle opens or closes
 * a run. What lies outside the image is cut off; where the outline crosses itself, the even-odd
 * rule holds.
 *
 *  Throws INVALID_ARGUMENT for an odd number of values or fewer than three corners, and, with the
 *  index of the value, for one that is not finite or so far outside that drawing would not end. */
Rle from_polygon(std::span<const double> points, uint32_t height, uint32_t width);

}  // namespace cellroute::mask
