#include "ops/boxes.h"

#include "tensors.h"

namespace boxes_test {

using namespace cellroute::ops;
using cellroute::test::same;

TEST_CASE("box_iou: computed by hand") {
  const auto a = torch::tensor({{0.0F, 0.0F, 4.0F, 2.0F}, {10.0F, 10.0F, 12.0F, 12.0F}});
  const auto b = torch::tensor({{0.0F, 0.0F, 2.0F, 2.0F},  // half of the first
                                {2.0F, 1.0F, 6.0F, 3.0F},  // 2 of 14
                                {4.0F, 0.0F, 8.0F, 2.0F},  // shares an edge
                                {10.0F, 10.0F, 12.0F, 12.0F}});
  CHECK(same(box_iou(a, b),
             torch::tensor({{0.5F, 2.0F / 14.0F, 0.0F, 0.0F}, {0.0F, 0.0F, 0.0F, 1.0F}})));
  CHECK(box_iou(a, torch::empty({0, 4})).sizes() == at::IntArrayRef({2, 0}));
  CHECK(box_iou(torch::empty({0, 4}), b).sizes() == at::IntArrayRef({0, 4}));
  CHECK(same(box_iou(a.t().contiguous().t(), b), box_iou(a, b)));
  const auto point = torch::full({1, 4}, 3.0F);
  CHECK(box_iou(point, point).isnan().all().item<bool>());
  CHECK_THROWS_AS(box_iou(a, torch::zeros({2, 3})), c10::Error);
}

TEST_CASE("clip_boxes_to_image") {
  const auto boxes = torch::tensor(
      {{-5.0F, -6.0F, 7.0F, 8.0F}, {3.0F, 4.0F, 300.0F, 400.0F}, {-9.0F, -9.0F, -1.0F, -2.0F}});
  CHECK(
      same(clip_boxes_to_image(boxes, /*height=*/20, /*width=*/30),
           torch::tensor(
               {{0.0F, 0.0F, 7.0F, 8.0F}, {3.0F, 4.0F, 30.0F, 20.0F}, {0.0F, 0.0F, 0.0F, 0.0F}})));
  CHECK(clip_boxes_to_image(torch::empty({0, 4}), 20, 30).sizes() == at::IntArrayRef({0, 4}));
}

TEST_CASE("remove_small_boxes keeps a side of exactly the minimum size") {
  const auto boxes = torch::tensor({{0.0F, 0.0F, 2.0F, 2.0F},
                                    {0.0F, 0.0F, 1.5F, 9.0F},
                                    {0.0F, 0.0F, 9.0F, 1.5F},
                                    {0.0F, 0.0F, 3.0F, 4.0F}});
  CHECK(same(remove_small_boxes(boxes, 2.0), torch::tensor({0, 3}, torch::kInt64)));
  CHECK(same(remove_small_boxes(boxes, 9.5), torch::empty({0}, torch::kInt64)));
  CHECK(same(remove_small_boxes(boxes.slice(0, 3), 2.0), torch::tensor({0}, torch::kInt64)));
}

}  // namespace boxes_test
