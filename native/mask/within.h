#pragma once

#include <cstdint>

#include "mask/rle.h"

namespace cellroute::mask {

/** Pixels of the mask that lie in the box, which may reach past the image. */
uint32_t area_within(const RleView& mask, const Box& box);

}  // namespace cellroute::mask
