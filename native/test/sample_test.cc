#include "data/sample.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "data/resample_mask.h"
#include "errors.h"
#include "mask_reference.h"

using namespace cellroute;
using namespace cellroute::data;
using cellroute::test::code_of;

namespace {

Side whole(int64_t length) {
  return {.size = length, .origin = 0, .step = 1, .first = 0, .end = static_cast<double>(length)};
}

io::Image grey(int64_t height, int64_t width, uint8_t value) {
  return {.type = io::Image::Type::kU8,
          .bytes = std::vector<uint8_t>(static_cast<size_t>(height * width), value),
          .width = width,
          .height = height,
          .channels = 1};
}

SamplePlan plan_of(const Side& x, const Side& y, bool transposed = false) {
  return {.intensity = {},
          .transposed = transposed,
          .x = x,
          .y = y,
          .photometric = {},
          .fill = 0.25F,
          .min_visible = 0};
}

/** A random side: flipped, scaled, cropped, and sometimes beyond the border of the image. */
Side random_side(std::mt19937& random, int64_t length) {
  std::uniform_real_distribution<double> unit(0, 1);
  const double step = (unit(random) < 0.5 ? -1 : 1) * std::exp2(unit(random) * 4 - 2);
  const auto size = static_cast<int64_t>(1 + unit(random) * 40);
  const auto far = static_cast<double>(length);
  const double a = unit(random) * far, b = unit(random) < 0.3 ? far : unit(random) * far;
  return {.size = size,
          .origin = (unit(random) * 1.4 - 0.2) * far,
          .step = step,
          .first = std::min(a, b),
          .end = std::max(a, b)};
}

double centre(const Side& side, int64_t index) {
  return side.origin + (static_cast<double>(index) + 0.5) * side.step;
}

bool seen(const Side& side, int64_t index) {
  return centre(side, index) >= side.first && centre(side, index) < side.end;
}

/** Slow reference: for each pixel, the source pixel at its centre. */
mask::Dense by_pixel(const mask::Dense& source, const SamplePlan& plan) {
  const Side& across = plan.transposed ? plan.y : plan.x;
  const Side& down = plan.transposed ? plan.x : plan.y;
  mask::Dense result(static_cast<uint32_t>(down.size), static_cast<uint32_t>(across.size));
  for (int64_t v = 0; v < down.size; ++v) {
    for (int64_t u = 0; u < across.size; ++u) {
      const int64_t i = plan.transposed ? v : u, j = plan.transposed ? u : v;
      if (!seen(plan.x, i) || !seen(plan.y, j)) continue;
      result.at(v, u) = source.around(static_cast<int64_t>(std::floor(centre(plan.y, j))),
                                      static_cast<int64_t>(std::floor(centre(plan.x, i))));
    }
  }
  return result;
}

}  // namespace

TEST_CASE("masks resampled by runs equal masks resampled by pixels") {
  std::mt19937 random(11);
  for (const auto& source : mask::many_masks(12)) {
    for (int round = 0; round < 8; ++round) {
      const auto plan = plan_of(random_side(random, source.width),
                                random_side(random, source.height), round % 2 == 1);
      const auto rle = mask::counts_by_pixel(source);
      const auto found = resample_mask(rle, Axis(plan.x, source.width), Axis(plan.y, source.height),
                                       plan.transposed);
      CHECK_NOTHROW(mask::check_counts(found.height, found.width, found.counts));
      CHECK(found == mask::counts_by_pixel(by_pixel(source, plan)));
    }
  }
}

TEST_CASE("shown_area counts the pixels whose centres are visible") {
  std::mt19937 random(13);
  for (const auto& source : mask::many_masks(14)) {
    const Side x = random_side(random, source.width), y = random_side(random, source.height);
    const auto within = [](const Side& side, double middle) {
      const double far = side.origin + static_cast<double>(side.size) * side.step;
      return middle >= std::max(side.first, std::min(side.origin, far)) &&
             middle < std::min(side.end, std::max(side.origin, far));
    };
    uint32_t expected = 0;
    for (uint32_t row = 0; row < source.height; ++row) {
      for (uint32_t column = 0; column < source.width; ++column) {
        expected += source.at(row, column) != 0 && within(x, column + 0.5) && within(y, row + 0.5);
      }
    }
    CHECK(shown_area(mask::counts_by_pixel(source), Axis(x, source.width),
                     Axis(y, source.height)) == expected);
  }
}

TEST_CASE("a pixel's taps sum to 1 and stay inside the image") {
  std::mt19937 random(15);
  for (int round = 0; round < 200; ++round) {
    const int64_t length = 1 + round % 37;
    const Axis axis(random_side(random, length), length);
    for (int64_t i = axis.inside().begin; i < axis.inside().end; ++i) {
      const auto taps = axis.taps(i);
      double sum = 0;
      for (const float weight : taps.weights) sum += weight;
      CHECK(sum == doctest::Approx(1).epsilon(1e-6));
      CHECK(taps.first >= 0);
      CHECK(taps.first + static_cast<int64_t>(taps.weights.size()) <= length);
    }
  }
}

TEST_CASE("prepare_sample: fill, grey, and the remaining masks") {
  const mask::Rle left{2, 3, {0, 2, 4}}, right{2, 3, {4, 2}};
  const auto plan = plan_of({.size = 2, .origin = -1, .step = 1, .first = 0, .end = 1}, whole(2));
  const auto sample =
      prepare_sample(grey(2, 3, 51), std::vector<mask::RleView>{right, left}, plan, JobContext());
  CHECK(sample.pixels == std::vector<float>{0.25F, 0.2F, 0.25F, 0.2F, 0.25F, 0.2F, 0.25F, 0.2F,
                                            0.25F, 0.2F, 0.25F, 0.2F});
  CHECK(sample.kept == std::vector<uint32_t>{1});
  CHECK(sample.masks == std::vector<mask::Rle>{{2, 2, {2, 2}}});
}

TEST_CASE("prepare_sample stops when it is cancelled") {
  const auto flag = std::make_shared<CancelFlag>();
  flag->cancel();
  CHECK_THROWS_AS(
      prepare_sample(grey(4, 4, 0), {}, plan_of(whole(4), whole(4)), JobContext(flag, nullptr)),
      Cancelled);
}

TEST_CASE("prepare_sample refuses inconsistent arguments") {
  const auto run = [](const SamplePlan& plan, std::vector<mask::RleView> masks = {}) {
    return code_of([&] { prepare_sample(grey(4, 5, 0), masks, plan, JobContext()); });
  };
  CHECK(run(plan_of(whole(5), whole(4))).empty());
  const mask::Rle turned{5, 4, {20}};
  CHECK(run(plan_of(whole(5), whole(4)), {turned}) == "INVALID_ARGUMENT");
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const Side& wrong : {Side{.size = 0, .origin = 0, .step = 1, .first = 0, .end = 5},
                            {.size = 1'000'000, .origin = 0, .step = 1, .first = 0, .end = 5},
                            {.size = 5, .origin = 0, .step = 0, .first = 0, .end = 5},
                            {.size = 5, .origin = 0, .step = kNan, .first = 0, .end = 5},
                            {.size = 5, .origin = kNan, .step = 1, .first = 0, .end = 5},
                            {.size = 5, .origin = 1e300, .step = 1, .first = 0, .end = 5},
                            {.size = 5, .origin = 0, .step = 1, .first = -1, .end = 5},
                            {.size = 5, .origin = 0, .step = 1, .first = 0, .end = 6},
                            {.size = 5, .origin = 0, .step = 1, .first = 3, .end = 2},
                            {.size = 5, .origin = 0, .step = 1, .first = kNan, .end = 5}}) {
    CHECK(run(plan_of(wrong, whole(4))) == "INVALID_ARGUMENT");
  }
  auto bytes = grey(4, 5, 0);
  bytes.bytes.pop_back();
  CHECK(code_of([&] { prepare_sample(bytes, {}, plan_of(whole(5), whole(4)), JobContext()); }) ==
        "INVALID_ARGUMENT");
}
