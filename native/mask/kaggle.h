#pragma once

#include <string>
#include <string_view>

#include "mask/rle.h"

namespace cellroute::mask {

/** Reads Kaggle's "start length start length ...". Starts are 1-based and count along the rows;
 *  they increase, and runs neither overlap nor leave the image. Tokens are digits separated by
 *  spaces; an empty text is an empty mask. Anything else throws RLE_MALFORMED with the index of
 *  the character. */
Rle from_kaggle(std::string_view text, uint32_t height, uint32_t width);

/** Adjacent runs are written as one, also across the end of a row. */
std::string to_kaggle(const RleView& mask);

}  // namespace cellroute::mask
