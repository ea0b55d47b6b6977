#include <doctest/doctest.h>

#include <algorithm>

#include "error.h"
#include "mask/pixels.h"
#include "mask/rle.h"
#include "mask/row_runs.h"
#include "mask/transpose.h"
#include "test/mask_reference.h"

namespace cellroute::mask {
namespace {

TEST_CASE("encode equals counting down the columns, and decode inverts it") {
  for (const auto& mask : many_masks(1)) {
    const auto rle = encode(mask.pixels, mask.height, mask.width);
    CHECK(rle == counts_by_pixel(mask));
    CHECK_NOTHROW(check_counts(rle.height, rle.width, rle.counts));
    std::vector<uint8_t> pixels(mask.pixels.size(), 0);
    decode(rle, pixels);
    CHECK(pixels == mask.pixels);
  }
}

TEST_CASE("every byte other than 0 is a pixel of the mask") {
  std::vector<uint8_t> pixels(256);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i);
  CHECK(encode(pixels, 1, 256).counts == std::vector<uint32_t>{1, 255});
}

TEST_CASE("area and box equal those of the pixels") {
  for (const auto& mask : many_masks(2)) {
    const auto rle = counts_by_pixel(mask);
    CHECK(area(rle) == mask.area());
    uint32_t left = mask.width, right = 0, top = mask.height, bottom = 0;
    for (uint32_t y = 0; y < mask.height; ++y) {
      for (uint32_t x = 0; x < mask.width; ++x) {
        if (!mask.at(y, x)) continue;
        left = std::min(left, x);
        right = std::max(right, x + 1);
        top = std::min(top, y);
        bottom = std::max(bottom, y + 1);
      }
    }
    const auto expected = mask.area() == 0 ? Box{} : Box{left, top, right - left, bottom - top};
    CHECK((bounding_box(rle) == expected));
  }
}

TEST_CASE("conversion to runs and back") {
  for (const auto& mask : many_masks(3)) {
    const auto rle = counts_by_pixel(mask);
    const auto bounds = run_bounds(rle);
    CHECK(std::is_sorted(bounds.begin(), bounds.end()));
    CHECK(from_bounds(rle.height, rle.width, bounds) == rle);
  }
}

TEST_CASE("runs within rows") {
  for (const auto& mask : many_masks(7)) {
    std::vector<RowRun> expected;
    for (uint32_t y = 0; y < mask.height; ++y) {
      for (uint32_t x = 0; x < mask.width; ++x) {
        if (!mask.at(y, x)) continue;
        const bool begins = x == 0 || !mask.at(y, x - 1);
        if (begins) expected.push_back({x, y, 0});
        ++expected.back().length;
      }
    }
    CHECK((row_runs(counts_by_pixel(mask)) == expected));
  }
  CHECK_THROWS_AS(row_runs(Rle{0xffffffff, 1, {0, 0xffffffff}}), Error);
}

TEST_CASE("a huge image needs little memory while its mask has few runs") {
  const uint32_t most = 0xffffffff;
  for (const auto& [height, width] :
       {std::pair<uint32_t, uint32_t>{1, most}, {most, 1}, {65535, 65537}, {65537, 65535}}) {
    CHECK(transpose(Bounds{0, most}, width, height) == Bounds{0, most});
    CHECK(transpose(Bounds{0, 1, most - 1, most}, width, height) == Bounds{0, 1, most - 1, most});
    const auto full = from_bounds(height, width, Bounds{0, most});
    CHECK_NOTHROW(check_counts(height, width, full.counts));
    CHECK(area(full) == most);
    CHECK((bounding_box(full) == Box{0, 0, width, height}));
  }
}

TEST_CASE("masks with too many runs are refused before memory is allocated") {
  // One row of an image that is two rows high: one run per column.
  const uint32_t width = 0x7fffffff;
  CHECK_THROWS_AS(transpose(Bounds{0, width}, width, 2), Error);
}

TEST_CASE("invalid sizes are refused") {
  CHECK_THROWS_AS(checked_pixels(0, 1), Error);
  CHECK_THROWS_AS(checked_pixels(1, 0), Error);
  CHECK_THROWS_AS(checked_pixels(65536, 65536), Error);
  CHECK_THROWS_AS(checked_pixels(UINT64_MAX, UINT64_MAX), Error);
  CHECK(checked_pixels(65535, 65537) == 0xffffffff);
  const std::vector<uint8_t> pixels(6);
  CHECK_THROWS_AS(encode(pixels, 2, 4), Error);
  std::vector<uint8_t> out(6);
  CHECK_THROWS_AS(decode(Rle{2, 4, {8}}, out), Error);
}

TEST_CASE("invalid counts are refused with the index of the count") {
  const auto refused_at = [](std::vector<uint32_t> counts) -> int64_t {
    try {
      check_counts(3, 4, counts);
    } catch (const Error& error) {
      CHECK(error.code() == "RLE_MALFORMED");
      return static_cast<int64_t>(error.position().value());
    }
    return -1;
  };
  CHECK(refused_at({12}) == -1);
  CHECK(refused_at({0, 12}) == -1);
  CHECK(refused_at({}) == 0);
  CHECK(refused_at({13}) == 0);
  CHECK(refused_at({5, 5}) == 2);
  CHECK(refused_at({5, 0, 7}) == 1);
  CHECK(refused_at({12, 0}) == 1);
  CHECK(refused_at({4, 4, 0xfffffffc, 12}) == 2);
}

}  // namespace
}  // namespace cellroute::mask
