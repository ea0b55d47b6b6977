#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "measure/pieces.h"

namespace cellroute::measure {

/** Measures of the convex hull of a mask, as scikit-image defines them. */
struct HullMeasures {
  /** Pixels whose centres lie in the hull of the middles of all pixel sides, its border included.
   */
  double area = 0;
  /** Largest and smallest distance of two parallel lines that enclose the middles of the sides of
   *  these pixels. */
  double feret_max = 0;
  double feret_min = 0;
};

/** Memory that is used again for the next mask. */
class HullMemory {
 public:
  HullMeasures measure(std::span<const Piece> pieces);

 private:
  /** A point in half pixels, from the mask's first column and the image's first row. */
  struct Point {
    int64_t x;
    int64_t y;
  };
  /** Rows of a column, the last included; none if first > last. */
  struct Rows {
    int64_t first;
    int64_t last;
  };

  static int64_t cross(const Point& a, const Point& b, const Point& c);
  /** Fills lower_ and upper_ with the hull of the middles of the sides of these pixels. */
  void build(std::span<const Rows> columns);
  /** The rows of the pixels whose centres lie in the hull. */
  void fill(std::vector<Rows>& columns) const;

  std::vector<Rows> columns_;
  std::vector<Rows> hull_columns_;
  // The hull's corners by increasing x: those with the smallest and with the largest y.
  std::vector<Point> lower_, upper_;
  std::vector<Point> ring_;
};

}  // namespace cellroute::measure
