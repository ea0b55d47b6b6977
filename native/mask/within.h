#pragma once

#include <cstdint>

#include "mask/rle.h"

namespace cellroute::mask {

/** Pixels of the mask inside the box. The box may extend beyond the image. */
uint32_t area_within(const RleView& mask, const Box& box);

}  // namespace cellroute::mask
