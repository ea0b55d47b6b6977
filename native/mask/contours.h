#pragma once

#include <cstdint>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** A pixel corner. Pixel (x, y) lies between the corners (x, y) and (x + 1, y + 1). */
struct Corner {
  uint32_t x;
  uint32_t y;

  bool operator==(const Corner&) const = default;
};

/** Corners at which the outline turns, in order. The first corner is not repeated at the end. */
using Ring = std::vector<Corner>;

/** A 4-connected component of a mask, with its holes. */
struct Polygon {
  Ring outer;
  std::vector<Ring> holes;
};

/** The outlines of a mask along pixel edges. Outer rings have a positive area by x_i * y_(i+1) -
 *  x_(i+1) * y_i and holes a negative one. This is the right-hand rule of RFC 7946 as GeoJSON
 *  viewers apply it; where y grows downwards, outer rings look clockwise. No ring touches
 *  itself, not even at a corner: pixels that share only a corner belong to two polygons (or, in
 *  the background, to two holes). Every polygon is therefore valid under the OGC rules. Polygons
 *  are ordered by their first pixel in column order. */
std::vector<Polygon> contours(const RleView& mask);

}  // namespace cellroute::mask
