#include "train/matcher.h"

#include <array>

#include "ops/boxes.h"
#include "tensors.h"

namespace matcher_test {

using namespace cellroute::train;
using cellroute::test::same;
using cellroute::test::with_threads;

namespace {

constexpr MatchOptions kRpn{
    .high_threshold = 0.7, .low_threshold = 0.3, .allow_low_quality_matches = true};
constexpr MatchOptions kBox{
    .high_threshold = 0.5, .low_threshold = 0.5, .allow_low_quality_matches = false};

/** torchvision's algorithm on the whole matrix. */
torch::Tensor reference(const torch::Tensor& iou, const MatchOptions& options) {
  const auto [quality, best] = iou.max(0);
  auto matches = best.clone();
  matches.masked_fill_(quality < options.low_threshold, -1);
  matches.masked_fill_((quality >= options.low_threshold) & (quality < options.high_threshold), -2);
  if (options.allow_low_quality_matches) {
    const auto highest = std::get<0>(iou.max(1));
    const auto of_some = (iou == highest.unsqueeze(1)).any(0);
    matches = torch::where(of_some, best, matches);
  }
  return matches;
}

void check(const torch::Tensor& ground_truths, const torch::Tensor& candidates) {
  const auto iou = cellroute::ops::box_iou(ground_truths, candidates);
  for (const auto& options : {kRpn, kBox}) {
    const auto expected = reference(iou, options);
    CHECK(same(match_boxes(ground_truths, candidates, options), expected));
    CHECK(same(with_threads(1, [&] { return match_boxes(ground_truths, candidates, options); }),
               expected));
  }
}

torch::Tensor some_boxes(int64_t count, double extent, double largest) {
  const auto corner = torch::rand({count, 2}) * extent;
  return torch::cat({corner, corner + 1 + torch::rand({count, 2}) * largest}, 1);
}

}  // namespace

TEST_CASE("matcher equals the algorithm on the whole matrix") {
  torch::manual_seed(3);
  for (const auto& [ground_truths, candidates] :
       {std::pair{1, 1}, {1, 700}, {9, 255}, {30, 256}, {40, 257}, {300, 3000}}) {
    check(some_boxes(ground_truths, 200, 60), some_boxes(candidates, 200, 60));
    // Integer coordinates give many equal IoUs.
    check(some_boxes(ground_truths, 40, 9).round(), some_boxes(candidates, 40, 9).round());
  }
}

TEST_CASE("matcher: anchors in order, ground truths far apart and equal") {
  const auto x = torch::arange(0, 160, 4, torch::kFloat32);
  const auto yx = torch::meshgrid({x, x}, "ij");
  const auto centre = torch::stack({yx[1], yx[0], yx[1], yx[0]}, 2).reshape({-1, 1, 4});
  const auto shape = torch::tensor({{-4, -4, 4, 4}, {-8, -4, 8, 4}, {-4, -8, 4, 8}});
  const auto anchors = (centre + shape).reshape({-1, 4});
  auto ground_truths = some_boxes(20, 140, 20).round();
  ground_truths[7] = ground_truths[3].clone();                     // a duplicate
  ground_truths[8] = torch::tensor({60.0F, 60.0F, 61.0F, 61.0F});  // one pixel
  check(ground_truths, anchors);
}

TEST_CASE("matcher: a ground truth without overlap") {
  // torchvision then matches every candidate without overlap to it.
  const auto candidates = some_boxes(600, 100, 20);
  check(torch::tensor({{500.0F, 500.0F, 510.0F, 510.0F}}), candidates);
  check(torch::cat({some_boxes(3, 100, 20), torch::tensor({{500.0F, 500.0F, 510.0F, 510.0F}})}),
        candidates);
}

TEST_CASE("matcher: no candidates; boxes that only touch") {
  const auto ground_truths = torch::tensor({{0.0F, 0.0F, 4.0F, 4.0F}});
  CHECK(match_boxes(ground_truths, torch::empty({0, 4}), kRpn).sizes() == at::IntArrayRef({0}));
  check(ground_truths, torch::tensor({{4.0F, 0.0F, 8.0F, 4.0F}, {0.0F, 4.0F, 4.0F, 8.0F}}));
  CHECK_THROWS(match_boxes(torch::empty({0, 4}), ground_truths, kRpn));
}

}  // namespace matcher_test
