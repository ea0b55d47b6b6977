#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "error.h"
#include "mask/polygon.h"
#include "test/mask_reference.h"

namespace cellroute::mask {
namespace {

// test/golden compares with pycocotools; this file has the tests that do not need it.

/** Even-odd rule at the centre of a pixel. */
bool holds(const std::vector<double>& points, double x, double y) {
  bool inside = false;
  for (size_t i = 0, j = points.size() - 2; i < points.size(); j = i, i += 2) {
    const double xi = points[i], yi = points[i + 1], xj = points[j], yj = points[j + 1];
    if ((yi > y) != (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** Distance of a point from the outline. */
double distance(const std::vector<double>& points, double x, double y) {
  double nearest = std::numeric_limits<double>::infinity();
  for (size_t i = 0, j = points.size() - 2; i < points.size(); j = i, i += 2) {
    const double dx = points[i] - points[j], dy = points[i + 1] - points[j + 1];
    const double square = dx * dx + dy * dy;
    const double along = ((x - points[j]) * dx + (y - points[j + 1]) * dy) / square;
    const double t = square == 0 ? 0 : std::fmin(1, std::fmax(0, along));
    nearest = std::fmin(nearest, std::hypot(points[j] + t * dx - x, points[j + 1] + t * dy - y));
  }
  return nearest;
}

TEST_CASE("a polygon along pixel edges contains exactly those pixels") {
  for (const uint32_t x1 : {0U, 3U, 9U}) {
    for (const uint32_t y1 : {0U, 2U, 6U}) {
      const uint32_t x2 = 10, y2 = 7;
      Dense expected(8, 12);
      for (uint32_t y = y1; y < y2; ++y) {
        for (uint32_t x = x1; x < x2; ++x) expected.at(y, x) = 1;
      }
      const std::vector<double> points{double(x1), double(y1), double(x2), double(y1),
                                       double(x2), double(y2), double(x1), double(y2)};
      CHECK(dense(from_polygon(points, 8, 12)) == expected);
    }
  }
}

TEST_CASE("pixels away from the outline follow the even-odd rule") {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> place(-12, 42);
  for (int i = 0; i < 200; ++i) {
    std::vector<double> points(2 * (3 + random() % 9));
    for (auto& value : points) value = place(random);
    const auto drawn = dense(from_polygon(points, 30, 29));
    for (uint32_t y = 0; y < 30; ++y) {
      for (uint32_t x = 0; x < 29; ++x) {
        if (distance(points, x + .5, y + .5) < .5) continue;
        REQUIRE(bool(drawn.at(y, x)) == holds(points, x + .5, y + .5));
      }
    }
  }
}

/** Every point of the outline in turn, as rleFrPoly of maskApi.c draws it. */
Dense drawn_by_points(const std::vector<double>& points, uint32_t height, uint32_t width) {
  struct Point {
    int64_t x, y;
  };
  // As the reference, which does not round negative numbers.
  const auto to_grid = [](double value) { return static_cast<int64_t>(std::trunc(value + .5)); };
  const size_t count = points.size() / 2;
  std::vector<Point> corners, outline;
  for (size_t i = 0; i <= count; ++i) {
    corners.push_back(
        {to_grid(5 * points[2 * (i % count)]), to_grid(5 * points[2 * (i % count) + 1])});
  }
  outline.push_back(corners.front());
  for (size_t i = 0; i < count; ++i) {
    Point from = corners[i], to = corners[i + 1];
    const int64_t dx = std::abs(to.x - from.x), dy = std::abs(to.y - from.y);
    const bool flat = dx >= dy;
    const bool flip = flat ? from.x > to.x : from.y > to.y;
    if (flip) std::swap(from, to);
    const double slope = dx + dy == 0 ? 0
                         : flat       ? double(to.y - from.y) / double(dx)
                                      : double(to.x - from.x) / double(dy);
    for (int64_t d = 0; d <= std::max(dx, dy); ++d) {
      const int64_t t = flip ? std::max(dx, dy) - d : d;
      outline.push_back(flat ? Point{from.x + t, to_grid(double(from.y) + slope * double(t))}
                             : Point{to_grid(double(from.x) + slope * double(t)), from.y + t});
    }
  }
  // Each crossing changes all pixels that follow it in column-major order.
  Dense drawn(height, width);
  for (size_t i = 1; i < outline.size(); ++i) {
    const auto [a, b] = std::pair(outline[i - 1], outline[i]);
    const int64_t left = std::min(a.x, b.x);
    if (a.x == b.x || left < 0 || left % 5 != 2 || left / 5 >= width) continue;
    const double row = (double(std::min(a.y, b.y)) + .5) / 5 - .5;
    const auto first = static_cast<uint64_t>(std::ceil(std::fmin(height, std::fmax(0, row))));
    for (uint64_t k = static_cast<uint64_t>(left / 5) * height + first;
         k < uint64_t{height} * width; ++k) {
      auto& pixel = drawn.at(static_cast<uint32_t>(k % height), static_cast<uint32_t>(k / height));
      pixel = !pixel;
    }
  }
  return drawn;
}

TEST_CASE("polygons are equal to those drawn point by point") {
  std::mt19937 random(11);
  // Near the image and far from it, with repeated points and horizontal and vertical edges.
  for (const double reach : {4., 20., 60., 3e3, 3e4}) {
    for (int i = 0; i < (reach < 1e4 ? 300 : 10); ++i) {
      std::uniform_real_distribution<double> place(-reach, reach + 10);
      std::vector<double> points(2 * (3 + random() % 6));
      for (size_t k = 0; k < points.size(); ++k) {
        const bool same = k >= 2 && random() % 4 == 0;
        points[k] = same ? points[k - 2] : random() % 2 ? place(random) : std::round(place(random));
      }
      const uint32_t height = 1 + random() % 24, width = 1 + random() % 24;
      REQUIRE(dense(from_polygon(points, height, width)) == drawn_by_points(points, height, width));
    }
  }
}

TEST_CASE("a polygon outside the image, or thinner than a pixel, has no pixels") {
  CHECK(area(from_polygon(std::vector<double>{-9, -9, -3, -9, -3, -3}, 10, 10)) == 0);
  CHECK(area(from_polygon(std::vector<double>{20, 2, 30, 2, 30, 8}, 10, 10)) == 0);
  CHECK(area(from_polygon(std::vector<double>{3, 3, 3, 3, 3, 3}, 10, 10)) == 0);
}

TEST_CASE("invalid polygons are refused") {
  const auto refuses = [](std::vector<double> points) {
    try {
      from_polygon(points, 10, 10);
    } catch (const Error& error) {
      return error.code() == "INVALID_ARGUMENT";
    }
    return false;
  };
  CHECK(refuses({}));
  CHECK(refuses({1, 1, 5, 5}));
  CHECK(refuses({1, 1, 5, 5, 1, 5, 3}));
  CHECK(refuses({1, 1, 5, std::nan(""), 1, 5}));
  CHECK(refuses({1, 1, 5, std::numeric_limits<double>::infinity(), 1, 5}));
  CHECK(refuses({1, 1, 1e300, 5, 1, 5}));
  // It could be drawn, but would take too long.
  CHECK(refuses({1, 1, 3e8, 5, 1, 5}));
}

}  // namespace
}  // namespace cellroute::mask
