#pragma once

#include <cstdint>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** A run of `length` pixels in one row, starting at (x, y). */
struct RowRun {
  uint32_t x;
  uint32_t y;
  uint32_t length;

  bool operator==(const RowRun&) const = default;
};

/** A mask as runs within rows, from top to bottom and left to right, as needed for painting.
 *  Throws RLE_MALFORMED above kMaxRuns. */
std::vector<RowRun> row_runs(const RleView& mask);

}  // namespace cellroute::mask
