#include "ops/nms.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "tensors.h"

namespace nms_test {

using cellroute::ops::batched_nms;
using cellroute::ops::nms;
namespace ops = cellroute::ops;
using cellroute::test::same;
using cellroute::test::with_threads;

namespace {

struct Random {
  torch::Tensor boxes, scores, groups;
};

/** Crowded boxes in an area of `spread` pixels from `origin`. */
Random random(int64_t count, double origin, torch::ScalarType dtype = torch::kFloat32) {
  torch::manual_seed(count);
  const auto corner = torch::rand({count, 2}, dtype) * 60 + origin;
  const auto size = torch::rand({count, 2}, dtype) * 30 + 1;
  return {torch::cat({corner, corner + size}, 1), torch::rand({count}, dtype),
          torch::randint(0, 4, {count}, torch::kInt64)};
}

double iou(const std::vector<double>& a, const std::vector<double>& b) {
  const double w = std::max(0.0, std::min(a[2], b[2]) - std::max(a[0], b[0]));
  const double h = std::max(0.0, std::min(a[3], b[3]) - std::max(a[1], b[1]));
  const auto area = [](const auto& box) { return (box[2] - box[0]) * (box[3] - box[1]); };
  return w * h / (area(a) + area(b) - w * h);
}

/** Slow reference: highest score first, each box against all kept ones. */
std::vector<int64_t> reference(const Random& input, double threshold, bool grouped) {
  const auto count = input.boxes.size(0);
  std::vector<std::vector<double>> boxes(count);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < 4; ++j) boxes[i].push_back(input.boxes[i][j].item<double>());
  }
  std::vector<int64_t> order(count), kept;
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](int64_t i) { return input.scores[i].item<double>(); });
  for (const int64_t i : order) {
    const bool hidden = std::ranges::any_of(kept, [&](int64_t k) {
      const bool meet =
          !grouped || input.groups[i].item<int64_t>() == input.groups[k].item<int64_t>();
      return meet && iou(boxes[k], boxes[i]) > threshold;
    });
    if (!hidden) kept.push_back(i);
  }
  return kept;
}

std::vector<int64_t> list(const torch::Tensor& indices) {
  CHECK((indices.scalar_type() == torch::kInt64));
  const auto* data = indices.const_data_ptr<int64_t>();
  return {data, data + indices.numel()};
}

}  // namespace

TEST_CASE("nms: four boxes, computed by hand") {
  // IoU of 0 and 1 is 80 / 120, of 0 and 2 is 50 / 150, of 1 and 2 is 70 / 130.
  const auto boxes = torch::tensor({{0.0F, 0.0F, 10.0F, 10.0F},
                                    {2.0F, 0.0F, 12.0F, 10.0F},
                                    {5.0F, 0.0F, 15.0F, 10.0F},
                                    {40.0F, 40.0F, 50.0F, 50.0F}});
  const auto scores = torch::tensor({0.8F, 0.9F, 0.7F, 0.1F});
  CHECK(list(nms(boxes, scores, 0.7)) == std::vector<int64_t>{1, 0, 2, 3});
  CHECK(list(nms(boxes, scores, 0.6)) == std::vector<int64_t>{1, 2, 3});
  CHECK(list(nms(boxes, scores, 0.5)) == std::vector<int64_t>{1, 3});
  CHECK(list(nms(boxes, scores, 0.3)) == std::vector<int64_t>{1, 3});
  const auto groups = torch::tensor({0, 1, 0, 1}, torch::kInt64);
  CHECK(list(batched_nms(boxes, scores, groups, 0.3)) == std::vector<int64_t>{1, 0, 3});
}

TEST_CASE("nms: a box with an IoU of exactly the threshold is kept") {
  const auto boxes = torch::tensor({{0.0F, 0.0F, 4.0F, 2.0F}, {0.0F, 0.0F, 2.0F, 2.0F}});
  const auto scores = torch::tensor({2.0F, 1.0F});
  CHECK(list(nms(boxes, scores, 0.5)) == std::vector<int64_t>{0, 1});
  CHECK(list(nms(boxes, scores, 0.4999)) == std::vector<int64_t>{0});
}

TEST_CASE("nms equals the slow reference") {
  for (const auto dtype : {torch::kFloat32, torch::kFloat64}) {
    for (const double threshold : {0.0, 0.3, 0.5, 0.7, 1.0}) {
      const auto input = random(211, 0, dtype);
      CHECK(list(nms(input.boxes, input.scores, threshold)) == reference(input, threshold, false));
    }
  }
}

TEST_CASE("batched_nms equals the slow reference, below and above torchvision's limit") {
  for (const int64_t count : {211, 1100}) {
    // Negative corners: if groups were moved apart by the largest coordinate, they would overlap.
    for (const double origin : {0.0, -80.0}) {
      const auto input = random(count, origin);
      CHECK(list(batched_nms(input.boxes, input.scores, input.groups, 0.5)) ==
            reference(input, 0.5, true));
    }
  }
}

TEST_CASE("nms: equal scores keep their order") {
  const auto boxes = torch::arange(5, torch::kFloat32).unsqueeze(1) * 100 +
                     torch::tensor({0.0F, 0.0F, 5.0F, 5.0F});
  CHECK(list(nms(boxes, torch::ones({5}), 0.5)) == std::vector<int64_t>{0, 1, 2, 3, 4});
  const auto same_box = boxes.slice(0, 0, 1).expand({5, 4});
  CHECK(list(nms(same_box, torch::ones({5}), 0.5)) == std::vector<int64_t>{0});
}

TEST_CASE("nms: no boxes, boxes without area, NaN") {
  const auto none = torch::empty({0, 4});
  const auto no_groups = torch::empty({0}, torch::kInt64);
  CHECK(nms(none, torch::empty({0}), 0.5).numel() == 0);
  CHECK((batched_nms(none, torch::empty({0}), no_groups, 0.5).scalar_type() == torch::kInt64));
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const auto odd = torch::tensor({{3.0F, 3.0F, 3.0F, 3.0F},
                                  {3.0F, 3.0F, 3.0F, 3.0F},
                                  {kNan, 0.0F, 4.0F, 4.0F},
                                  {0.0F, 0.0F, 4.0F, 4.0F}});
  const auto scores = torch::tensor({0.9F, 0.8F, 0.7F, 0.6F});
  CHECK(list(nms(odd, scores, 0.5)) == std::vector<int64_t>{0, 1, 2, 3});
  const auto groups = torch::zeros({4}, torch::kInt64);
  CHECK(list(batched_nms(odd, scores, groups, 0.5)) == std::vector<int64_t>{0, 1, 2, 3});
}

TEST_CASE("nms: results do not depend on layouts and threads") {
  const auto input = random(400, 0);
  const auto expected = batched_nms(input.boxes, input.scores, input.groups, 0.5);
  const auto strided = input.boxes.t().contiguous().t();
  CHECK(same(batched_nms(strided, input.scores, input.groups, 0.5), expected));
  for (const int threads : {1, 2}) {
    CHECK(same(
        with_threads(threads,
                     [&] { return batched_nms(input.boxes, input.scores, input.groups, 0.5); }),
        expected));
  }
}

TEST_CASE("nms refuses inconsistent sizes and types") {
  const auto boxes = torch::zeros({3, 4});
  CHECK_THROWS_AS(nms(torch::zeros({3, 5}), torch::zeros({3}), 0.5), c10::Error);
  CHECK_THROWS_AS(nms(boxes, torch::zeros({2}), 0.5), c10::Error);
  CHECK_THROWS_AS(nms(boxes.to(torch::kInt64), torch::zeros({3}), 0.5), c10::Error);
  CHECK_THROWS_AS(nms(boxes, torch::zeros({3}), std::numeric_limits<double>::quiet_NaN()),
                  c10::Error);
  CHECK_THROWS_AS(batched_nms(boxes, torch::zeros({3}), torch::zeros({3}), 0.5), c10::Error);
}

TEST_CASE("nms_padded equals batched_nms for each image") {
  torch::manual_seed(3);
  for (const int64_t count : {1, 40, 70, 1500}) {
    for (const double origin : {0.0, -30.0}) {
      CAPTURE(count);
      const auto first = random(count, origin), second = random(count, origin + 7);
      auto boxes = torch::stack({first.boxes, second.boxes});
      if (count > 1) boxes[1][1].fill_(std::numeric_limits<float>::quiet_NaN());
      // With equal scores.
      const auto scores = (torch::rand({2, count}) * 20).floor();
      const auto groups = torch::stack({first.groups, second.groups});
      auto valid = torch::rand({2, count}) > 0.3;
      if (count == 40) valid[0].fill_(false);
      for (const int64_t limit : {int64_t{1}, count / 4 + 1, count}) {
        const auto padded = ops::nms_padded(boxes, scores, groups, valid, 0.4, limit);
        for (int64_t n = 0; n < 2; ++n) {
          const auto rows = valid[n].nonzero().squeeze(1);
          const auto kept = rows.index_select(
              0, batched_nms(boxes[n].index_select(0, rows), scores[n].index_select(0, rows),
                             groups[n].index_select(0, rows), 0.4));
          const int64_t expected = std::min(limit, kept.size(0));
          REQUIRE(padded.count[n].item<int64_t>() == expected);
          CHECK(same(padded.index[n].narrow(0, 0, expected), kept.narrow(0, 0, expected)));
          CHECK(padded.index[n].narrow(0, expected, limit - expected).eq(0).all().item<bool>());
          CHECK(padded.capped[n].item<bool>() == (kept.size(0) > limit));
        }
      }
    }
  }
}

}  // namespace nms_test
