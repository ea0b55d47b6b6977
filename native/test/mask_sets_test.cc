#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "error.h"
#include "mask/iou.h"
#include "mask/labels.h"
#include "mask/layers.h"
#include "mask/merge.h"
#include "mask/overlap.h"
#include "mask/within.h"
#include "test/mask_reference.h"

namespace cellroute::mask {
namespace {

std::vector<Rle> encoded(const std::vector<Dense>& masks) {
  std::vector<Rle> result;
  for (const auto& mask : masks) result.push_back(counts_by_pixel(mask));
  return result;
}

/** Random cells of one size, with an empty mask, a full one, noise and a duplicate. */
std::vector<Dense> varied(uint32_t seed, uint32_t height, uint32_t width, int count) {
  auto masks = random_cells(seed, height, width, count);
  masks.insert(masks.begin() + 1, Dense(height, width));
  Dense full(height, width), noise(height, width);
  std::mt19937 random(seed);
  for (auto& pixel : full.pixels) pixel = 1;
  for (auto& pixel : noise.pixels) pixel = random() % 7 == 0;
  masks.push_back(full);
  masks.push_back(noise);
  masks.push_back(masks[0]);
  return masks;
}

double iou_by_pixel(const Dense& a, const Dense& b, bool crowd) {
  uint32_t both = 0, any = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    both += a.pixels[i] && b.pixels[i];
    any += a.pixels[i] || b.pixels[i];
  }
  if (both == 0) return 0;
  return static_cast<double>(both) / (crowd ? a.area() : any);
}

void check_iou(const std::vector<Dense>& a, const std::vector<Dense>& b) {
  const auto left = encoded(a), right = encoded(b);
  std::vector<uint8_t> crowd(b.size());
  for (size_t j = 0; j < crowd.size(); ++j) crowd[j] = j % 3 == 1;
  for (const bool with_crowd : {false, true}) {
    std::vector<double> out(a.size() * b.size(), 0);
    iou(views(left), views(right),
        with_crowd ? std::span<const uint8_t>(crowd) : std::span<const uint8_t>{}, out);
    bool same = true;
    for (size_t i = 0; i < a.size(); ++i) {
      for (size_t j = 0; j < b.size(); ++j) {
        same &= out[i * b.size() + j] == iou_by_pixel(a[i], b[j], with_crowd && crowd[j]);
      }
    }
    CHECK(same);
  }
}

TEST_CASE("IoU of all pairs, with and without crowds") {
  check_iou(varied(1, 37, 53, 12), varied(2, 37, 53, 20));
  check_iou(varied(3, 1, 90, 6), varied(4, 1, 90, 6));
  check_iou(varied(5, 90, 1, 6), varied(6, 90, 1, 6));
}

/** Ragged masks in a part of the image, with no, one or several runs per column. */
std::vector<Dense> ragged(uint32_t seed, uint32_t height, uint32_t width, int count) {
  std::mt19937 random(seed);
  std::vector<Dense> masks;
  for (int i = 0; i < count; ++i) {
    Dense mask(height, width);
    const uint32_t left = random() % width, right = left + random() % (width - left);
    const uint32_t top = random() % height, bottom = top + random() % (height - top);
    const uint32_t one_in = 1 + random() % 9;
    for (uint32_t x = left; x <= right; ++x) {
      for (uint32_t y = top; y <= bottom; ++y) mask.at(y, x) = random() % one_in == 0;
    }
    masks.push_back(mask);
  }
  return masks;
}

TEST_CASE("IoU of masks with any number of runs per column") {
  const auto a = ragged(1, 19, 70, 60), b = ragged(2, 19, 70, 60);
  const auto rles = encoded(a);
  Layers layers(19);
  std::set<size_t> seen;
  for (size_t i = 0; i < rles.size(); ++i) {
    layers.add(rles[i]);
    seen.insert(layers.of(i).size());
    if (!layers.of(i).empty()) CHECK(layers.runs(i, 0, 70) == run_bounds(rles[i]));
  }
  CHECK((seen == std::set<size_t>{0, 1, 2, 3, 4}));
  check_iou(a, b);
}

TEST_CASE("IoU in images with the maximum 16-bit height, and higher ones") {
  for (const uint32_t height : {32767U, 32768U, 65536U}) {
    std::vector<Dense> masks;
    for (const auto& [top, bottom] : {std::pair{0U, height}, {height - 9, height}, {9U, 20000U}}) {
      Dense mask(height, 5);
      for (uint32_t y = top; y < bottom; ++y) mask.at(y, 1) = mask.at(y, 3) = 1;
      masks.push_back(mask);
    }
    check_iou(masks, masks);
  }
}

TEST_CASE("IoU of many pairs on several threads equals IoU row by row") {
  const auto a = encoded(varied(7, 16, 24, 2400)), b = encoded(varied(8, 16, 24, 2400));
  const auto left = views(a), right = views(b);
  std::vector<double> out(a.size() * b.size(), 0), rows(out.size(), 0);
  iou(left, right, {}, out);
  for (size_t i = 0; i < a.size(); ++i) {
    iou({&left[i], 1}, right, {}, std::span(rows).subspan(i * b.size(), b.size()));
  }
  CHECK((out == rows));
}

TEST_CASE("pixels within a box, also if runs continue in the next column") {
  for (const auto& mask : varied(9, 23, 31, 8)) {
    const auto rle = counts_by_pixel(mask);
    for (const Box& box : {Box{0, 0, 31, 23}, Box{4, 5, 9, 7}, Box{30, 0, 1, 23},
                           Box{7, 22, 50, 50}, Box{3, 3, 0, 9}}) {
      uint32_t expected = 0;
      for (uint32_t y = box.y; y < std::min(box.y + box.height, 23U); ++y) {
        for (uint32_t x = box.x; x < std::min(box.x + box.width, 31U); ++x) {
          expected += mask.at(y, x);
        }
      }
      CHECK(area_within(rle, box) == expected);
    }
  }
}

TEST_CASE("IoU of no masks, and of masks of different sizes") {
  const std::vector<Rle> one{{2, 2, {4}}}, other{{1, 4, {4}}};
  std::vector<double> out;
  CHECK_NOTHROW(iou({}, views(one), {}, out));
  CHECK_NOTHROW(iou({}, {}, {}, out));
  out.resize(1);
  CHECK_THROWS_AS(iou(views(one), views(other), {}, out), Error);
  const std::vector<uint8_t> crowd(2);
  CHECK_THROWS_AS(iou(views(one), views(one), crowd, out), Error);
  out.resize(2);
  CHECK_THROWS_AS(iou(views(one), views(one), {}, out), Error);
}

TEST_CASE("union and intersection") {
  for (const uint32_t seed : {1, 2, 3, 4, 5, 6}) {
    const uint32_t height = 5 + seed * 7, width = 80 - seed * 11;
    // Three large cells often have common pixels; the varied ones, with an empty mask, never.
    for (const auto& masks :
         {random_cells(seed, height, width, 3), varied(seed, height, width, 5)}) {
      Dense any(height, width), all(height, width);
      for (size_t i = 0; i < any.pixels.size(); ++i) {
        any.pixels[i] =
            std::any_of(masks.begin(), masks.end(), [&](const Dense& m) { return m.pixels[i]; });
        all.pixels[i] =
            std::all_of(masks.begin(), masks.end(), [&](const Dense& m) { return m.pixels[i]; });
      }
      const auto rles = encoded(masks);
      CHECK(union_of(views(rles), height, width) == counts_by_pixel(any));
      CHECK(intersection_of(views(rles), height, width) == counts_by_pixel(all));
    }
  }
  std::mt19937 random(9);
  for (int round = 0; round < 20; ++round) {
    Dense a(17, 23), b(17, 23), any(17, 23), all(17, 23);
    for (size_t i = 0; i < a.pixels.size(); ++i) {
      a.pixels[i] = random() % 4 != 0;
      b.pixels[i] = random() % 3 != 0;
      any.pixels[i] = a.pixels[i] | b.pixels[i];
      all.pixels[i] = a.pixels[i] & b.pixels[i];
    }
    const auto rles = encoded({a, b});
    CHECK(union_of(views(rles), 17, 23) == counts_by_pixel(any));
    CHECK(intersection_of(views(rles), 17, 23) == counts_by_pixel(all));
  }
  CHECK(union_of({}, 2, 3).counts == std::vector<uint32_t>{6});
  CHECK(intersection_of({}, 2, 3).counts == std::vector<uint32_t>{0, 6});
}

TEST_CASE("overlap removal equals a removal pixel by pixel") {
  for (const uint32_t seed : {1, 2, 3, 4}) {
    const uint32_t height = 70, width = 61;
    const auto masks = varied(seed, height, width, 30);
    const auto rles = encoded(masks);
    for (const double max_lost : {0.0, 0.2, 0.5, 1.0}) {
      Dense taken(height, width);
      std::vector<Rle> left;
      std::vector<uint32_t> kept;
      for (uint32_t i = 0; i < masks.size(); ++i) {
        Dense free = masks[i];
        for (size_t k = 0; k < free.pixels.size(); ++k) free.pixels[k] &= !taken.pixels[k];
        const double lost = masks[i].area() - free.area();
        if (lost > max_lost * masks[i].area()) continue;
        for (size_t k = 0; k < free.pixels.size(); ++k) taken.pixels[k] |= free.pixels[k];
        left.push_back(counts_by_pixel(free));
        kept.push_back(i);
      }
      const auto result = remove_overlaps(views(rles), max_lost);
      CHECK(result.kept == kept);
      CHECK((result.masks == left));
    }
  }
  CHECK(remove_overlaps({}, 0.2).masks.empty());
  CHECK_THROWS_AS(remove_overlaps({}, 1.5), Error);
  CHECK_THROWS_AS(remove_overlaps({}, NAN), Error);
  const std::vector<Rle> unequal{{2, 2, {4}}, {1, 4, {4}}};
  CHECK_THROWS_AS(remove_overlaps(views(unequal), 0.5), Error);
}

template <class Label>
void check_labels(const std::vector<Label>& labels, uint32_t height, uint32_t width) {
  std::vector<uint32_t> ids(labels.begin(), labels.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::erase(ids, 0u);
  const auto result = from_labels(std::span<const Label>(labels), height, width);
  CHECK(result.ids == ids);
  REQUIRE(result.masks.size() == ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    Dense mask(height, width);
    for (size_t k = 0; k < labels.size(); ++k) mask.pixels[k] = labels[k] == ids[i];
    CHECK(result.masks[i] == counts_by_pixel(mask));
  }
}

TEST_CASE("label images to masks") {
  std::mt19937 random(3);
  for (const auto& [height, width] :
       {std::pair<uint32_t, uint32_t>{1, 1}, {31, 17}, {1, 70}, {70, 1}}) {
    const size_t pixels = size_t{height} * width;
    std::vector<uint8_t> small(pixels);
    std::vector<uint16_t> middle(pixels);
    std::vector<uint32_t> large(pixels);
    for (size_t i = 0; i < pixels; ++i) {
      small[i] = random() % 4;
      middle[i] = static_cast<uint16_t>(random() % 3 * 32767);
      large[i] = i % 5 ? static_cast<uint32_t>(i / 9) * 1'000'000'007u : 0xffffffff;
    }
    check_labels(small, height, width);
    check_labels(middle, height, width);
    check_labels(large, height, width);
    check_labels(std::vector<uint8_t>(pixels, 0), height, width);
  }
  const std::vector<uint8_t> labels(5);
  CHECK_THROWS_AS(from_labels(std::span<const uint8_t>(labels), 2, 3), Error);
}

TEST_CASE("masks to a label image: the first mask keeps shared pixels") {
  const auto masks = varied(5, 40, 33, 9);
  const auto rles = encoded(masks);
  std::vector<uint16_t> expected(masks[0].pixels.size(), 0);
  for (size_t i = masks.size(); i-- > 0;) {
    for (size_t k = 0; k < expected.size(); ++k) {
      if (masks[i].pixels[k]) expected[k] = static_cast<uint16_t>(i + 1);
    }
  }
  std::vector<uint16_t> labels(expected.size(), 0);
  to_labels(views(rles), std::span<uint16_t>(labels));
  CHECK(labels == expected);
  std::vector<uint32_t> wide(expected.size(), 0);
  to_labels(views(rles), std::span<uint32_t>(wide));
  CHECK(std::equal(wide.begin(), wide.end(), expected.begin()));

  const std::vector<Rle> too_many(65536, Rle{1, 1, {1}});
  uint16_t one = 0;
  CHECK_THROWS_AS(to_labels(views(too_many), std::span<uint16_t>(&one, 1)), Error);
  CHECK_THROWS_AS(to_labels(views(rles), std::span<uint16_t>(&one, 1)), Error);
}

}  // namespace
}  // namespace cellroute::mask
