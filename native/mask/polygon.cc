#include "mask/polygon.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "error.h"

namespace cellroute::mask {
namespace {

// Source: rleFrPoly in cocoapi's maskApi.c, which stores every point of the outline. Here the
// points beside a crossing are computed, with equal results, and its casts, which are undefined
// for large numbers, are guarded.

constexpr int64_t kScale = 5;
/** Middle of a pixel on the fine grid: the step from it to the next point crosses the column. */
constexpr int64_t kMiddle = 2;
/** The reference also limits positions on the fine grid to 32-bit integers. */
constexpr double kMaxCoordinate = 4e8;

struct Point {
  int64_t x;
  int64_t y;
};

/** Adds a half and truncates towards zero. For negative values this is not rounding, but it is
 *  what the reference does. */
int64_t to_grid(double value) {
  return static_cast<int64_t>(value + .5);  // NOLINT(bugprone-incorrect-roundings)
}

std::vector<Point> corners_of(std::span<const double> points) {
  if (points.size() % 2 != 0 || points.size() < 6) {
    throw Error("INVALID_ARGUMENT", "A polygon has x and y of three corners or more, not " +
                                        std::to_string(points.size()) + " values");
  }
  std::vector<Point> corners;
  corners.reserve(points.size() / 2 + 1);
  for (size_t i = 0; i < points.size(); i += 2) {
    for (const size_t at : {i, i + 1}) {
      if (!(std::abs(points[at]) <= kMaxCoordinate)) {
        throw Error("INVALID_ARGUMENT",
                    "Value " + std::to_string(at) + " of a polygon is too large for a coordinate",
                    at);
      }
    }
    corners.push_back({to_grid(kScale * points[i]), to_grid(kScale * points[i + 1])});
  }
  corners.push_back(corners.front());
  return corners;
}

/** The grid points along an edge, at positions 0 to `length`. One coordinate rises by one per
 * position, the other follows the slope. */
class DrawnEdge {
 public:
  DrawnEdge(Point start, Point end)
      : flat_(std::abs(end.x - start.x) >= std::abs(end.y - start.y)),
        // Computed from the same end in both directions, so that neighbours share the points of
        // their edge.
        flip_(flat_ ? start.x > end.x : start.y > end.y),
        from_(flip_ ? end : start) {
    const Point to = flip_ ? start : end;
    const int64_t dx = to.x - from_.x, dy = to.y - from_.y;
    length_ = flat_ ? dx : dy;
    // A repeated point is an edge of length 0, which has no slope.
    slope_ = length_ == 0 ? 0 : static_cast<double>(flat_ ? dy : dx) / static_cast<double>(length_);
  }

  Point at(int64_t position) const {
    const int64_t start = flat_ ? from_.y : from_.x;
    const int64_t other =
        to_grid(static_cast<double>(start) + slope_ * static_cast<double>(position));
    return flat_ ? Point{from_.x + position, other} : Point{other, from_.y + position};
  }

  Point first() const { return at(flip_ ? length_ : 0); }
  Point last() const { return at(flip_ ? 0 : length_); }

  /** Calls fn(a, b) for each two adjacent points between which the edge crosses the middle of one
   *  of the columns. Takes a time that depends on the number of columns, not on the length. */
  template <class F>
  void crossings(uint32_t columns, F&& fn) const {
    const auto [low, high] = std::minmax({at(0).x, at(length_).x});
    for (int64_t x = middle_from(low); x < high && x / kScale < columns; x += kScale) {
      const int64_t position = flat_ ? x - from_.x : position_before_step(x);
      const Point a = at(position), b = at(position + 1);
      if (std::min(a.x, b.x) == x) fn(a, b);
    }
  }

 private:
  /** The first middle of a column of the image that is not left of x. */
  static int64_t middle_from(int64_t x) {
    const int64_t columns_before = x <= kMiddle ? 0 : (x - kMiddle + kScale - 1) / kScale;
    return columns_before * kScale + kMiddle;
  }

  /** The position before the step between x and its right neighbour. Along a steep edge, x does
   *  not change direction. */
  int64_t position_before_step(int64_t x) const {
    const bool rises = slope_ > 0;
    int64_t low = 0, high = length_;
    // at(low) is before the step, at(high) after it.
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      const bool is_after = (at(middle).x > x) == rises;
      (is_after ? high : low) = middle;
    }
    return low;
  }

  bool flat_;
  bool flip_;
  Point from_;
  int64_t length_ = 0;
  double slope_ = 0;
};

/** Number of rows above a crossing between two adjacent grid points. */
int64_t row_of(int64_t y, uint32_t height) {
  const double row = (static_cast<double>(y) + .5) / kScale - .5;
  return static_cast<int64_t>(std::ceil(std::clamp(row, 0.0, static_cast<double>(height))));
}

}  // namespace

Rle from_polygon(std::span<const double> points, uint32_t height, uint32_t width) {
  checked_pixels(height, width);
  const auto corners = corners_of(points);
  uint64_t steps = 0;
  for (size_t i = 0; i + 1 < corners.size(); ++i) {
    const auto& [x1, y1] = corners[i];
    const auto& [x2, y2] = corners[i + 1];
    steps += static_cast<uint64_t>(std::max(std::abs(x2 - x1), std::abs(y2 - y1))) + 1;
    if (steps > kMaxRuns) {
      throw Error("INVALID_ARGUMENT", "A polygon's outline is too long to be drawn", 2 * i);
    }
  }

  std::vector<uint32_t> crossings;
  const auto add_crossing = [&](Point a, Point b) {
    const int64_t left = std::min(a.x, b.x);
    if (a.x == b.x || left < 0 || left % kScale != kMiddle || left / kScale >= width) return;
    const int64_t row = row_of(std::min(a.y, b.y), height);
    crossings.push_back(static_cast<uint32_t>(left / kScale * height + row));
  };
  Point before = corners.front();
  for (size_t i = 0; i + 1 < corners.size(); ++i) {
    const DrawnEdge edge(corners[i], corners[i + 1]);
    // Rounding can move the end of an edge by a point.
    add_crossing(before, edge.first());
    edge.crossings(width, add_crossing);
    before = edge.last();
  }
  std::sort(crossings.begin(), crossings.end());

  // The outline is closed and moves in steps of one, so it crosses each column an even number of
  // times.
  Bounds bounds;
  for (size_t i = 0; i + 1 < crossings.size(); i += 2) {
    append_run(bounds, crossings[i], crossings[i + 1]);
  }
  return from_bounds(height, width, bounds);
}

}  // namespace cellroute::mask
