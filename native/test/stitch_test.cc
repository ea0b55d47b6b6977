#include "infer/stitch.h"

#include <algorithm>
#include <random>
#include <set>

#include "checks.h"
#include "infer/tile_plan.h"
#include "mask_reference.h"

namespace stitch_test {

using namespace cellroute::infer;
using cellroute::mask::Box;
using cellroute::mask::Dense;
using cellroute::mask::dense;

namespace {

// Sides that tiles of 100 pixels which share 20 fill, so that they are no smaller.
constexpr uint32_t kHeight = 180, kWidth = 260;

Dense clipped(const Dense& mask, const Box& window) {
  Dense result(mask.height, mask.width);
  for (uint32_t y = window.y; y < window.y + window.height; ++y) {
    for (uint32_t x = window.x; x < window.x + window.width; ++x) result.at(y, x) = mask.at(y, x);
  }
  return result;
}

Dense rectangle(uint32_t left, uint32_t top, uint32_t right, uint32_t bottom) {
  Dense all(kHeight, kWidth);
  std::fill(all.pixels.begin(), all.pixels.end(), uint8_t{1});
  return clipped(all, {left, top, right - left, bottom - top});
}

std::array<float, 4> box_of(const Dense& mask) {
  const auto box = cellroute::mask::bounding_box(counts_by_pixel(mask));
  return {float(box.x), float(box.y), float(box.x + box.width), float(box.y + box.height)};
}

struct Plan {
  std::vector<Box> windows;
  std::vector<Box> cores;
};

Plan plan_of(int64_t size, int64_t overlap) {
  Plan plan;
  for (const auto& y : plan_tiles(kHeight, size, overlap, 2)) {
    for (const auto& x : plan_tiles(kWidth, size, overlap, 2)) {
      const auto box = [](int64_t left, int64_t top, int64_t right, int64_t bottom) {
        return Box{uint32_t(left), uint32_t(top), uint32_t(right - left), uint32_t(bottom - top)};
      };
      plan.windows.push_back(box(x.begin, y.begin, x.end, y.end));
      plan.cores.push_back(box(x.core_begin, y.core_begin, x.core_end, y.core_end));
    }
  }
  return plan;
}

TileDetection detection_of(const Dense& mask, uint32_t tile, const Plan& plan, float score,
                           bool cut) {
  const auto box = box_of(mask);
  const float x = (box[0] + box[2]) / 2, y = (box[1] + box[3]) / 2;
  const auto holds = [&](const Box& core) {
    return x >= float(core.x) && x < float(core.x + core.width) && y >= float(core.y) &&
           y < float(core.y + core.height);
  };
  const auto owner = std::find_if(plan.cores.begin(), plan.cores.end(), holds);
  return {box, score, 1, counts_by_pixel(mask), tile, cut, uint32_t(owner - plan.cores.begin())};
}

/** Detections of each tile, if every tile detects cells exactly. */
std::vector<TileDetection> detect_tiles(const std::vector<Dense>& cells, const Plan& plan) {
  std::vector<TileDetection> detections;
  for (uint32_t tile = 0; tile < plan.windows.size(); ++tile) {
    for (size_t i = 0; i < cells.size(); ++i) {
      const auto part = clipped(cells[i], plan.windows[tile]);
      if (part.area() == 0) continue;
      const bool cut = part.area() < cells[i].area();
      // Scores distinguish the cells, and cut from complete detections.
      const auto score = float(i + 1) / 100 - (cut ? 0.002F : 0);
      detections.push_back(detection_of(part, tile, plan, score, cut));
    }
  }
  return detections;
}

/** Ellipses that do not touch, from very small ones to some wider than two tiles. */
std::vector<Dense> apart(uint32_t seed) {
  std::mt19937 random(seed);
  const auto draw = [&random](uint32_t below) { return static_cast<double>(random() % below); };
  std::vector<Dense> cells;
  Dense taken(kHeight, kWidth);
  for (int tries = 0; tries < 400; ++tries) {
    const double rx = 1 + draw(tries < 3 ? 70 : 15), ry = 1 + draw(15);
    const double cx = draw(kWidth), cy = draw(kHeight);
    Dense cell(kHeight, kWidth);
    bool free = true;
    for (uint32_t y = 0; y < kHeight; ++y) {
      for (uint32_t x = 0; x < kWidth; ++x) {
        const double dx = (x - cx) / rx, dy = (y - cy) / ry;
        if (dx * dx + dy * dy > 1) continue;
        cell.at(y, x) = 1;
        free &= taken.at(y, x) == 0;
      }
    }
    if (!free) continue;
    for (size_t p = 0; p < cell.pixels.size(); ++p) taken.pixels[p] |= cell.pixels[p];
    cells.push_back(cell);
  }
  return cells;
}

}  // namespace

TEST_CASE("stitch: cells detected in tiles appear once and complete") {
  for (const uint32_t seed : {1, 2, 3}) {
    const auto cells = apart(seed);
    REQUIRE(cells.size() > 30);
    for (const auto& [size, overlap] : {std::pair{60, 20}, {48, 24}, {100, 8}, {300, 0}}) {
      CAPTURE(seed);
      CAPTURE(size);
      const auto plan = plan_of(size, overlap);
      const auto found = stitch(detect_tiles(cells, plan), plan.windows);
      std::set<std::vector<uint32_t>> expected, actual;
      for (const auto& cell : cells) expected.insert(counts_by_pixel(cell).counts);
      for (const auto& cell : found) {
        actual.insert(cell.mask.counts);
        CHECK(cell.box == box_of(dense(cell.mask)));
      }
      CHECK(found.size() == cells.size());
      CHECK((actual == expected));
      CHECK(std::is_sorted(found.begin(), found.end(),
                           [](const auto& a, const auto& b) { return a.score > b.score; }));
    }
  }
}

TEST_CASE("stitch: of detections of one cell, the complete one is kept, best in its core") {
  // Windows 0..100 and 80..180; the seam is at 90.
  const auto plan = plan_of(100, 20);
  REQUIRE(plan.windows[1].x == 80);
  const auto whole = rectangle(84, 20, 94, 30), nearly = rectangle(83, 20, 94, 30);
  SUBCASE("although another has a higher score") {
    const auto found = stitch(
        {detection_of(whole, 0, plan, 0.5F, false), detection_of(nearly, 1, plan, 0.9F, true)},
        plan.windows);
    REQUIRE(found.size() == 1);
    CHECK(dense(found[0].mask) == whole);
    CHECK(found[0].score == 0.5F);
  }
  SUBCASE("in the core rather than in the margin") {
    const auto found = stitch(
        {detection_of(whole, 0, plan, 0.5F, false), detection_of(nearly, 1, plan, 0.9F, false)},
        plan.windows);
    REQUIRE(found.size() == 1);
    CHECK(dense(found[0].mask) == whole);
  }
  SUBCASE("also if each tile detects it in the core of the other") {
    const auto left = rectangle(83, 20, 95, 30), right = rectangle(86, 20, 98, 30);
    // The second tile detects its centre left of the seam, the first tile right of it.
    const auto found = stitch(
        {detection_of(right, 0, plan, 0.6F, false), detection_of(left, 1, plan, 0.5F, false)},
        plan.windows);
    REQUIRE(found.size() == 1);
    CHECK(dense(found[0].mask) == right);
  }
}

TEST_CASE("stitch: a detection of one tile is kept only in its own core") {
  const auto plan = plan_of(100, 20);
  const auto margin = rectangle(92, 20, 98, 30), core = rectangle(82, 20, 88, 30);
  CHECK(stitch({detection_of(margin, 0, plan, 0.9F, false)}, plan.windows).empty());
  CHECK(stitch({detection_of(core, 0, plan, 0.9F, false)}, plan.windows).size() == 1);
  // Cut, and not detected by the neighbour: the visible part is kept.
  CHECK(stitch({detection_of(rectangle(60, 20, 100, 30), 0, plan, 0.9F, true)}, plan.windows)
            .size() == 1);
  CHECK(stitch({}, plan.windows).empty());
  // Detected by two tiles, but not by the tile that contains most of it.
  const auto below = rectangle(85, 92, 95, 98);
  REQUIRE(plan.windows[2].x == 160);
  REQUIRE(plan.windows[3].y == 80);
  CHECK(stitch({detection_of(below, 0, plan, 0.9F, true), detection_of(below, 1, plan, 0.8F, true)},
               plan.windows)
            .empty());
}

TEST_CASE("stitch: different cells stay separate") {
  const auto plan = plan_of(100, 20);
  const auto left = rectangle(84, 20, 89, 30), right = rectangle(89, 20, 98, 30);
  SUBCASE("side by side in the overlap") {
    CHECK(stitch(
              {detection_of(left, 0, plan, 0.9F, false), detection_of(right, 1, plan, 0.8F, false)},
              plan.windows)
              .size() == 2);
  }
  SUBCASE("with two labels") {
    auto other = detection_of(right, 1, plan, 0.8F, false);
    other.label = 2;
    CHECK(
        stitch({detection_of(rectangle(70, 20, 98, 30), 0, plan, 0.9F, true), other}, plan.windows)
            .size() == 2);
  }
  SUBCASE("separated by one tile") {
    // The second tile detects one cell where the first detects two: it can be only one of them.
    const auto both = rectangle(84, 20, 98, 30);
    const std::vector detections{detection_of(rectangle(84, 20, 95, 30), 0, plan, 0.9F, false),
                                 detection_of(rectangle(84, 20, 97, 30), 0, plan, 0.8F, false),
                                 detection_of(both, 1, plan, 0.7F, false)};
    CHECK(stitch(detections, plan.windows).size() == 2);
  }
  SUBCASE("a small cell beside the cut part of a large one") {
    // The complete cell is not a part of the cut one: only a fifth of it overlaps.
    const auto large = rectangle(50, 20, 100, 60), small = rectangle(90, 25, 96, 35);
    CHECK(stitch(
              {detection_of(large, 0, plan, 0.9F, true), detection_of(small, 1, plan, 0.8F, false)},
              plan.windows)
              .size() == 2);
  }
}

}  // namespace stitch_test
