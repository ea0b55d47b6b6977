#pragma once

#include <string>
#include <string_view>

#include "mask/rle.h"

namespace cellroute::mask {

/** Kaggle's "start length start length …": starts count from 1 along the rows. Starts rise, runs do
 *  not overlap and stay inside the image; tokens are digits set apart by spaces; an empty text is
 *  an empty mask. Anything else throws RLE_MALFORMED with the index of the character. */
Rle from_kaggle(std::string_view text, uint32_t height, uint32_t width);

/** Runs that touch, at the end of one row and the begin of the next too, are written as one. */
std::string to_kaggle(const RleView& mask);

}  // namespace cellroute::mask
