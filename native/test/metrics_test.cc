#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include "metrics/assignment.h"
#include "metrics/bootstrap.h"
#include "metrics/evaluate.h"
#include "metrics/pairs.h"
#include "test/errors.h"
#include "test/mask_reference.h"

namespace cellroute::metrics {
namespace {

mask::MaskSet set_of(const std::vector<mask::Dense>& cells, uint32_t height, uint32_t width) {
  mask::MaskSet set{.height = height, .width = width, .counts = {}, .offsets = {0}};
  for (const auto& cell : cells) {
    const auto counts = mask::counts_by_pixel(cell).counts;
    set.counts.insert(set.counts.end(), counts.begin(), counts.end());
    set.offsets.push_back(static_cast<uint32_t>(set.counts.size()));
  }
  return set;
}

/** Two classes, crowds, and many equal scores. */
Image random_image(uint32_t seed) {
  std::mt19937 random(seed);
  constexpr uint32_t height = 40, width = 50;
  Image image;
  const auto ground_truth =
      mask::random_cells(random(), height, width, static_cast<int>(random() % 7));
  auto found = mask::random_cells(random(), height, width, static_cast<int>(random() % 4));
  found.insert(found.end(), ground_truth.begin(), ground_truth.end());
  image.ground_truth = set_of(ground_truth, height, width);
  image.predicted = set_of(found, height, width);
  for (size_t i = 0; i < ground_truth.size(); ++i) {
    image.ground_truth_labels.push_back(static_cast<int32_t>(1 + random() % 2));
    image.crowd.push_back(random() % 5 == 0);
  }
  for (size_t i = 0; i < found.size(); ++i) {
    image.labels.push_back(static_cast<int32_t>(1 + random() % 2));
    image.scores.push_back(static_cast<double>(random() % 4) / 4);
  }
  return image;
}

std::vector<Image> random_images(uint32_t seed, int count) {
  std::vector<Image> images;
  for (int i = 0; i < count; ++i) images.push_back(random_image(seed + i));
  return images;
}

Options options_with(uint64_t threads, uint32_t samples = 0) {
  return {.rule = {.min_score = 0.2, .max_lost = 1},
          .iou = 0.3,
          .max_dets = 100,
          .samples = samples,
          .seed = 5,
          .confidence = 0.9,
          .threads = threads};
}

Evaluation evaluated(const std::vector<Image>& images, const Options& options,
                     const std::vector<std::vector<uint32_t>>& groups = {}) {
  return evaluate(images, groups, options, [](double) {});
}

const Interval& interval_of(const GroupScores& group) {
  if (!group.interval) throw std::logic_error("No interval was computed");
  return *group.interval;
}

bool same(const Summary& a, const Summary& b) {
  return std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) {
    return std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y) ||
           (std::isnan(x) && std::isnan(y));
  });
}

/** Best matching by exhaustive search: number of pairs and sum of their IoUs. */
std::pair<int, double> best_by_trying(const std::vector<Edge>& edges, size_t from,
                                      uint32_t used_predictions, uint32_t used_ground_truths) {
  if (from == edges.size()) return {0, 0};
  const auto& edge = edges[from];
  auto best = best_by_trying(edges, from + 1, used_predictions, used_ground_truths);
  const uint32_t prediction = 1U << edge.prediction, ground_truth = 1U << edge.ground_truth;
  if ((used_predictions & prediction) == 0 && (used_ground_truths & ground_truth) == 0) {
    auto with = best_by_trying(edges, from + 1, used_predictions | prediction,
                               used_ground_truths | ground_truth);
    best = std::max(best, {with.first + 1, with.second + edge.iou});
  }
  return best;
}

TEST_CASE("assign finds the maximum number of pairs, and of those the best") {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int round = 0; round < 300; ++round) {
    std::vector<Edge> edges;
    const uint32_t predictions = 1 + random() % 6, ground_truths = 1 + random() % 6;
    for (uint32_t p = 0; p < predictions; ++p) {
      for (uint32_t g = 0; g < ground_truths && edges.size() < 14; ++g) {
        if (random() % 3 == 0) edges.push_back({p, g, unit(random)});
      }
    }
    const auto [count, sum] = best_by_trying(edges, 0, 0, 0);
    const auto chosen = assign(edges);
    std::vector<uint32_t> seen_predictions, seen_ground_truths;
    double chosen_sum = 0;
    for (const uint32_t i : chosen) {
      seen_predictions.push_back(edges[i].prediction);
      seen_ground_truths.push_back(edges[i].ground_truth);
      chosen_sum += edges[i].iou;
    }
    for (auto* seen : {&seen_predictions, &seen_ground_truths}) {
      std::sort(seen->begin(), seen->end());
      CHECK(std::unique(seen->begin(), seen->end()) == seen->end());
    }
    CHECK(chosen.size() == static_cast<size_t>(count));
    CHECK(chosen_sum == doctest::Approx(sum).epsilon(1e-12));
  }
}

TEST_CASE("assign: a greedy choice would leave one cell unmatched") {
  const std::vector<Edge> edges{{0, 0, 0.9}, {0, 1, 0.6}, {1, 0, 0.8}};
  CHECK(assign(edges) == std::vector<uint32_t>{1, 2});
  CHECK(assign({}).empty());
}

TEST_CASE("box comparison equals comparison one by one") {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> unit(0, 1);
  const auto boxes = [&](int count) {
    std::vector<double> values;
    for (int i = 0; i < count; ++i) {
      values.insert(values.end(), {unit(random) * 50, unit(random) * 50, unit(random) * 20,
                                   i % 7 == 0 ? 0 : unit(random) * 20});
    }
    return values;
  };
  const auto predicted = boxes(40), ground_truth = boxes(30);
  std::vector<uint8_t> crowd(30);
  for (size_t j = 0; j < crowd.size(); ++j) crowd[j] = j % 4 == 0;
  const auto pairs = box_pairs(predicted, ground_truth, crowd);
  REQUIRE(pairs.size() == 40);
  for (size_t i = 0; i < 40; ++i) {
    std::vector<double> row(30, 0);
    for (const auto& pair : pairs.row(i)) row[pair.ground_truth] = pair.iou;
    for (size_t j = 0; j < 30; ++j) {
      const double* d = &predicted[4 * i];
      const double* g = &ground_truth[4 * j];
      const double w = std::min(d[0] + d[2], g[0] + g[2]) - std::max(d[0], g[0]);
      const double h = std::min(d[1] + d[3], g[1] + g[3]) - std::max(d[1], g[1]);
      const double common = w > 0 && h > 0 ? w * h : 0;
      const double own = d[2] * d[3];
      const double over = crowd[j] ? own : own + g[2] * g[3] - common;
      CHECK(row[j] == doctest::Approx(common == 0 ? 0 : common / over).epsilon(1e-12));
    }
  }
}

TEST_CASE("an image with weight two equals the image twice") {
  const auto images = random_images(10, 6);
  const std::vector<uint32_t> weights{2, 0, 1, 3, 1, 0};
  std::vector<Image> repeated;
  for (size_t i = 0; i < images.size(); ++i) repeated.insert(repeated.end(), weights[i], images[i]);
  std::vector<SegmentScores> segments;
  std::vector<std::vector<CocoClass>> coco;
  for (const auto& image : images) {
    const auto ground_truths = image.ground_truth.checked_views();
    const auto masks = image.predicted.checked_views();
    const GroundTruthMasks ground_truth(ground_truths, image.crowd);
    const mask::Shapes shapes(masks);
    Pairs pairs;
    std::vector<Pair> row;
    std::vector<double> areas, ground_truth_areas;
    std::vector<uint32_t> pixels;
    for (size_t i = 0; i < shapes.size(); ++i) {
      ground_truth.append_overlaps(shapes, i, row);
      pairs.add_row(row);
      areas.push_back(shapes.area(i));
    }
    for (size_t i = 0; i < ground_truths.size(); ++i) {
      ground_truth_areas.push_back(ground_truth.shapes().area(i));
      pixels.push_back(ground_truth.shapes().area(i));
    }
    coco.push_back(match_coco(pairs,
                              {image.labels, image.scores, areas, image.ground_truth_labels,
                               ground_truth_areas, image.crowd},
                              100));
    const auto kept = keep(masks, shapes, image.scores, pairs, ground_truth, {0.2, 1});
    segments.push_back(
        score_segments(kept, image.labels, {pixels, image.ground_truth_labels, image.crowd}, 0.3));
  }
  const Comparison comparison{segments, CocoTable(coco), CocoTable(coco)};
  const auto weighted = summarise(comparison, weights, true);
  const auto whole = evaluated(repeated, options_with(1)).groups[0].summary;
  for (size_t m = 0; m < kMetrics; ++m) {
    // Boxes were not compared here.
    if (kMetricNames[m].starts_with("bbox")) continue;
    CAPTURE(kMetricNames[m]);
    CHECK((std::isnan(whole[m]) ? std::isnan(weighted[m])
                                : whole[m] == doctest::Approx(weighted[m]).epsilon(1e-12)));
  }
}

TEST_CASE("results do not depend on threads or groups") {
  const auto images = random_images(20, 9);
  const auto one = evaluated(images, options_with(1, 40));
  const auto four = evaluated(images, options_with(4, 40), {{1, 2, 5}, {0}});
  CHECK(same(one.groups[0].summary, four.groups[0].summary));
  CHECK(same(interval_of(one.groups[0]).low, interval_of(four.groups[0]).low));
  CHECK(same(interval_of(one.groups[0]).high, interval_of(four.groups[0]).high));
  const std::vector<Image> some{images[1], images[2], images[5]};
  CHECK(same(evaluated(some, options_with(2)).groups[0].summary, four.groups[1].summary));
  // A single image, resampled, always gives the same result.
  const auto index = static_cast<size_t>(
      std::find(kMetricNames.begin(), kMetricNames.end(), "kaggle") - kMetricNames.begin());
  CHECK(interval_of(four.groups[2]).low[index] == interval_of(four.groups[2]).high[index]);
}

TEST_CASE("intervals grow with confidence and contain the samples") {
  const auto images = random_images(40, 12);
  auto options = options_with(2, 400);
  options.confidence = 0.5;
  const auto narrow = evaluated(images, options).groups[0];
  options.confidence = 0.99;
  const auto wide = evaluated(images, options).groups[0];
  for (size_t m = 0; m < kMetrics; ++m) {
    if (std::isnan(interval_of(narrow).low[m])) continue;
    CAPTURE(kMetricNames[m]);
    CHECK(interval_of(wide).low[m] <= interval_of(narrow).low[m]);
    CHECK(interval_of(wide).high[m] >= interval_of(narrow).high[m]);
    CHECK(interval_of(wide).low[m] <= wide.summary[m] + 1e-12);
    CHECK(interval_of(wide).high[m] >= wide.summary[m] - 1e-12);
  }
}

TEST_CASE("an exception of the progress callback stops the work") {
  const auto images = random_images(30, 8);
  CHECK_THROWS_AS(
      evaluate(images, {}, options_with(2, 100), [](double) { throw std::runtime_error("stop"); }),
      std::runtime_error);
  double last = 0;
  evaluate(images, {}, options_with(2, 100), [&](double fraction) {
    CHECK(fraction >= last);
    last = fraction;
  });
  CHECK(last == doctest::Approx(1));
}

TEST_CASE("masks are checked before they are compared") {
  auto images = random_images(60, 1);
  images[0].predicted.counts[0] += 1;
  CHECK(test::code_of([&] { evaluated(images, options_with(1)); }) == "RLE_MALFORMED");
}

}  // namespace
}  // namespace cellroute::metrics
