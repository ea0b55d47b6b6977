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

// Source: rleFrPoly in cocoapi's maskApi.c. Points along the outline are processed as they are
// generated instead of being stored, and its casts, which are undefined for large numbers, are
// guarded.

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

/** Calls fn(point) for each grid point along the edge, from one end to the other. */
template <class F>
void walk(Point from, Point to, F&& fn) {
  const int64_t dx = std::abs(to.x - from.x);
  const int64_t dy = std::abs(to.y - from.y);
  const bool flat = dx >= dy;
  // Computed from the same end in both directions, so that neighbours share the points of their
  // edge.
  const bool flip = flat ? from.x > to.x : from.y > to.y;
  if (flip) std::swap(from, to);
  const int64_t length = flat ? dx : dy;
  // A repeated point is an edge of length 0, which has no slope.
  const double slope = length == 0 ? 0
                       : flat      ? static_cast<double>(to.y - from.y) / static_cast<double>(dx)
                                   : static_cast<double>(to.x - from.x) / static_cast<double>(dy);
  for (int64_t d = 0; d <= length; ++d) {
    const int64_t t = flip ? length - d : d;
    const int64_t start = flat ? from.y : from.x;
    const int64_t other = to_grid(static_cast<double>(start) + slope * static_cast<double>(t));
    fn(flat ? Point{from.x + t, other} : Point{other, from.y + t});
  }
}

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
  Point before = corners.front();
  for (size_t i = 0; i + 1 < corners.size(); ++i) {
    walk(corners[i], corners[i + 1], [&](Point point) {
      const int64_t left = std::min(point.x, before.x);
      const bool crosses = point.x != before.x && left >= 0 && left % kScale == kMiddle;
      if (crosses && left / kScale < width) {
        const int64_t column = left / kScale;
        const int64_t row = row_of(std::min(point.y, before.y), height);
        crossings.push_back(static_cast<uint32_t>(column * height + row));
      }
      before = point;
    });
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
