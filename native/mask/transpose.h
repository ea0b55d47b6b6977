#pragma once

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::mask {

/** Runs over an image read line by line, turned into runs over it read across the lines: rows to
 *  columns with `line` = width and `lines` = height, columns to rows the other way round. Time and
 *  memory follow the runs on both sides, never the image. Throws RLE_MALFORMED above kMaxRuns. */
Bounds transpose(std::span<const uint32_t> bounds, uint32_t line, uint32_t lines);

}  // namespace cellroute::mask
