#pragma once

#include "data/axis.h"
#include "mask/rle.h"

namespace cellroute::data {

/** What a sample sees of a mask: each pixel takes the mask's pixel under its centre, and past the
 *  image there is none. Works on the runs; never throws but RLE_MALFORMED above mask::kMaxRuns.
 */
mask::Rle resample_mask(const mask::RleView& mask, const Axis& x, const Axis& y, bool transposed);

/** How many of the mask's pixels have their centre in what the sample shows. */
uint32_t shown_area(const mask::RleView& mask, const Axis& x, const Axis& y);

}  // namespace cellroute::data
