#pragma once

#include <cstdint>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** A corner between pixels: pixel (x, y) lies between the corners (x, y) and (x + 1, y + 1). */
struct Corner {
  uint32_t x;
  uint32_t y;

  bool operator==(const Corner&) const = default;
};

/** Corners where the outline turns, in order; the last is joined to the first and not repeated. */
using Ring = std::vector<Corner>;

/** A part of a mask whose pixels hang together by their sides, and its holes. */
struct Polygon {
  Ring outer;
  std::vector<Ring> holes;
};

/** The outlines of a mask along the sides of its pixels. Outer rings have a positive area by
 *  x_i * y_(i+1) - x_(i+1) * y_i, holes a negative one: the right-hand rule of RFC 7946 as GeoJSON
 *  viewers apply it to these numbers, and clockwise to the eye where y grows downwards. No ring
 *  meets itself, not at a corner either: pixels that touch by a corner alone belong to two polygons
 *  (or, in the background, to two holes), so every polygon is valid to OGC's rules. Polygons come
 * in the order of their first pixel down the columns. */
std::vector<Polygon> contours(const RleView& mask);

}  // namespace cellroute::mask
