#pragma once

#include "data/axis.h"
#include "mask/rle.h"

namespace cellroute::data {

/** The part of a mask that a sample shows: each pixel takes the mask's pixel under its centre;
 *  outside the image there is no mask. Works on runs. Throws only RLE_MALFORMED, above
 *  mask::kMaxRuns. */
mask::Rle resample_mask(const mask::RleView& mask, const Axis& x, const Axis& y, bool transposed);

/** Number of mask pixels whose centre lies in the visible part. */
uint32_t shown_area(const mask::RleView& mask, const Axis& x, const Axis& y);

}  // namespace cellroute::data
