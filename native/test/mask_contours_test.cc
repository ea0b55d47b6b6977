#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "test/mask_reference.h"

namespace cellroute::mask {
namespace {

Dense image(const std::vector<std::string>& rows) {
  Dense mask(static_cast<uint32_t>(rows.size()), static_cast<uint32_t>(rows[0].size()));
  for (uint32_t y = 0; y < mask.height; ++y) {
    for (uint32_t x = 0; x < mask.width; ++x) mask.at(y, x) = rows[y][x] == '#';
  }
  return mask;
}

int64_t doubled_area(const Ring& ring) {
  int64_t sum = 0;
  for (size_t i = 0; i < ring.size(); ++i) {
    const auto& a = ring[i];
    const auto& b = ring[(i + 1) % ring.size()];
    sum += int64_t{a.x} * b.y - int64_t{b.x} * a.y;
  }
  return sum;
}

/** Whether the ring surrounds the centre of the pixel: counts crossings of a ray to the left. */
bool surrounds(const Ring& ring, uint32_t y, uint32_t x) {
  bool inside = false;
  for (size_t i = 0; i < ring.size(); ++i) {
    const auto& a = ring[i];
    const auto& b = ring[(i + 1) % ring.size()];
    if (a.x != b.x || a.x > x) continue;
    if (std::min(a.y, b.y) <= y && y < std::max(a.y, b.y)) inside = !inside;
  }
  return inside;
}

/** All corners on the path of a ring, including those on straight segments. */
std::vector<std::pair<uint32_t, uint32_t>> corners_along(const Ring& ring) {
  std::vector<std::pair<uint32_t, uint32_t>> corners;
  for (size_t i = 0; i < ring.size(); ++i) {
    auto [x, y] = ring[i];
    const auto& end = ring[(i + 1) % ring.size()];
    while (x != end.x || y != end.y) {
      corners.emplace_back(x, y);
      x += x < end.x ? 1 : x > end.x ? -1 : 0;
      y += y < end.y ? 1 : y > end.y ? -1 : 0;
    }
  }
  return corners;
}

/** 4-connected components by flooding, in the order of their first pixel down the columns. */
std::vector<Dense> components_by_flooding(const Dense& mask) {
  std::vector<Dense> parts;
  Dense seen(mask.height, mask.width);
  for (uint32_t x = 0; x < mask.width; ++x) {
    for (uint32_t y = 0; y < mask.height; ++y) {
      if (!mask.at(y, x) || seen.at(y, x)) continue;
      auto& part = parts.emplace_back(mask.height, mask.width);
      std::vector<std::pair<int64_t, int64_t>> open{{y, x}};
      while (!open.empty()) {
        const auto [v, u] = open.back();
        open.pop_back();
        if (!mask.around(v, u) || seen.at(v, u)) continue;
        seen.at(v, u) = part.at(v, u) = 1;
        for (const auto& [dv, du] : {std::pair{0, 1}, {1, 0}, {0, -1}, {-1, 0}}) {
          open.emplace_back(v + dv, u + du);
        }
      }
    }
  }
  return parts;
}

void check_polygon(const Polygon& polygon, const Dense& part) {
  CHECK(doubled_area(polygon.outer) > 0);
  bool simple = true, turning = true, filled = true;
  const auto check_ring = [&](const Ring& ring) {
    const auto corners = corners_along(ring);
    simple &= std::set(corners.begin(), corners.end()).size() == corners.size();
    for (size_t i = 0; i < ring.size(); ++i) {
      const auto& a = ring[i];
      const auto& b = ring[(i + 1) % ring.size()];
      const auto& c = ring[(i + 2) % ring.size()];
      turning &= (a.x == b.x) != (b.x == c.x) && (a.y == b.y) != (b.y == c.y);
    }
  };
  check_ring(polygon.outer);
  for (const auto& hole : polygon.holes) {
    CHECK(doubled_area(hole) < 0);
    check_ring(hole);
  }
  for (uint32_t y = 0; y < part.height; ++y) {
    for (uint32_t x = 0; x < part.width; ++x) {
      bool inside = surrounds(polygon.outer, y, x);
      for (const auto& hole : polygon.holes) inside &= !surrounds(hole, y, x);
      filled &= inside == (part.at(y, x) != 0);
    }
  }
  CHECK(simple);
  CHECK(turning);
  CHECK(filled);
}

void check_outlines(const Dense& mask) {
  const auto polygons = contours(counts_by_pixel(mask));
  const auto parts = components_by_flooding(mask);
  REQUIRE(polygons.size() == parts.size());
  for (size_t i = 0; i < parts.size(); ++i) check_polygon(polygons[i], parts[i]);
}

TEST_CASE("outlines surround exactly the pixels of each component, and never touch themselves") {
  for (const auto& mask : many_masks(6)) check_outlines(mask);
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    Dense mask(1 + random() % 12, 1 + random() % 12);
    for (auto& pixel : mask.pixels) pixel = random() % 5 < 3;
    check_outlines(mask);
  }
}

TEST_CASE("one pixel") {
  const auto polygons = contours(counts_by_pixel(image({"...", ".#.", "..."})));
  REQUIRE(polygons.size() == 1);
  CHECK(polygons[0].outer == Ring{{1, 1}, {2, 1}, {2, 2}, {1, 2}});
  CHECK(polygons[0].holes.empty());
}

TEST_CASE("holes have the opposite direction") {
  const auto polygons = contours(counts_by_pixel(image({"###", "#.#", "###"})));
  REQUIRE(polygons.size() == 1);
  CHECK(polygons[0].outer == Ring{{0, 0}, {3, 0}, {3, 3}, {0, 3}});
  REQUIRE(polygons[0].holes.size() == 1);
  CHECK(polygons[0].holes[0] == Ring{{1, 1}, {1, 2}, {2, 2}, {2, 1}});
}

TEST_CASE("components and holes that touch at a corner are separate") {
  CHECK(contours(counts_by_pixel(image({"#.", ".#"}))).size() == 2);
  CHECK(contours(counts_by_pixel(image({".#", "#."}))).size() == 2);
  const auto two_holes = contours(counts_by_pixel(image({"####", "#.##", "##.#", "####"})));
  REQUIRE(two_holes.size() == 1);
  CHECK(two_holes[0].holes.size() == 2);
  // A ring of pixels that is closed only by a corner: its inside is a hole.
  const auto closed = contours(counts_by_pixel(image({".##", "#.#", "###"})));
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].holes.size() == 1);
  // An island whose corners touch the surrounding ring.
  CHECK(contours(counts_by_pixel(image({"#####", "##.##", "#.#.#", "##.##", "#####"}))).size() ==
        2);
}

TEST_CASE("an empty mask has no polygons; a huge full image has four corners") {
  CHECK(contours(Rle{5, 7, {35}}).empty());
  const auto full = contours(Rle{65535, 65537, {0, 0xffffffff}});
  REQUIRE(full.size() == 1);
  CHECK(full[0].outer == Ring{{0, 0}, {65537, 0}, {65537, 65535}, {0, 65535}});
}

}  // namespace
}  // namespace cellroute::mask
