#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** Converts runs along the lines of an image to runs across its lines: rows to columns with
 *  `line` = width and `lines` = height, columns to rows with the two exchanged. Time and memory
 *  depend on the numbers of runs, not on the image's size. Throws RLE_MALFORMED above kMaxRuns. */
Bounds transpose(std::span<const uint32_t> bounds, uint32_t line, uint32_t lines);

}  // namespace cellroute::mask
