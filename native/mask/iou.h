#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** Intersection over union of every mask of `a` with every mask of `b`: zeroed[i * b.size() + j].
 *  Where crowd[j] is not 0, b[j] is a region of many cells and the intersection is taken over the
 *  area of a[i] alone, as COCO does. `crowd` is empty or as long as `b`. Two masks without a common
 *  pixel have 0. All masks are of one size; throws INVALID_ARGUMENT otherwise. */
void iou(std::span<const RleView> a, std::span<const RleView> b, std::span<const uint8_t> crowd,
         std::span<double> zeroed);

}  // namespace cellroute::mask
