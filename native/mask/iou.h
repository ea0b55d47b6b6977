#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** Intersection over union of each mask of `a` with each mask of `b`, written to zeroed[i *
 *  b.size() + j]. Where crowd[j] is not 0, b[j] is a crowd region and the intersection is
 *  divided by the area of a[i] alone, as in COCO. `crowd` is empty or has b.size() values.
 *  Disjoint masks get 0. Throws INVALID_ARGUMENT unless all masks have the same size. */
void iou(std::span<const RleView> a, std::span<const RleView> b, std::span<const uint8_t> crowd,
         std::span<double> zeroed);

}  // namespace cellroute::mask
