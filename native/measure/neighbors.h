#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mask/rle.h"
#include "measure/shape.h"

namespace cellroute::measure {

/** For each mask the number of other masks with a pixel that is one of its pixels, or lies beside
 *  or diagonally to one. The masks have one size. */
std::vector<double> count_neighbors(std::span<const mask::RleView> masks, uint64_t threads,
                                    const Progress& progress);

}  // namespace cellroute::measure
