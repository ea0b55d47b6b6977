#include "ops/mask_targets.h"

#include <vector>

#include "mask/pixels.h"
#include "ops/roi_align.h"
#include "tensors.h"

namespace mask_targets_test {

using cellroute::mask::Rle;
using cellroute::ops::mask_targets;
using cellroute::test::same;
using cellroute::test::with_threads;

namespace {

Rle to_rle(const torch::Tensor& pixels) {
  const auto bytes = pixels.contiguous();
  return cellroute::mask::encode(
      {bytes.const_data_ptr<uint8_t>(), static_cast<size_t>(bytes.numel())},
      static_cast<uint32_t>(bytes.size(0)), static_cast<uint32_t>(bytes.size(1)));
}

std::vector<Rle> to_rles(const torch::Tensor& masks) {
  std::vector<Rle> rles;
  for (int64_t i = 0; i < masks.size(0); ++i) rles.push_back(to_rle(masks[i]));
  return rles;
}

/** torchvision's method: each mask as an image, resized, then RoIAlign of each box. */
torch::Tensor reference(const torch::Tensor& masks, const torch::Tensor& boxes,
                        const torch::Tensor& matched, int64_t height, int64_t width, int64_t size) {
  const auto resized =
      torch::upsample_nearest2d(masks.unsqueeze(1).to(torch::kFloat32), {height, width});
  const auto rois = torch::cat({matched.to(torch::kFloat32).unsqueeze(1), boxes}, 1);
  return cellroute::ops::roi_align(resized, rois, 1, size, size, -1, false).squeeze(1);
}

void check(const torch::Tensor& masks, const torch::Tensor& boxes, const torch::Tensor& matched,
           int64_t height, int64_t width, int64_t size) {
  const auto expected = reference(masks, boxes, matched, height, width, size);
  const auto rles = to_rles(masks);
  const auto run = [&] { return mask_targets(rles, boxes, matched, height, width, size); };
  CHECK(same(run(), expected));
  CHECK(same(with_threads(1, run), expected));
}

/** Blobs across borders, and noise. */
torch::Tensor some_masks(int64_t count, int64_t height, int64_t width) {
  auto masks = (torch::rand({count, height, width}) < 0.3).to(torch::kUInt8);
  const auto y = torch::arange(height, torch::kFloat32).unsqueeze(1);
  const auto x = torch::arange(width, torch::kFloat32);
  for (int64_t i = 0; i < count; i += 2) {
    const auto centre = torch::rand({2});
    const auto distance = (y - centre[0] * height).square() + (x - centre[1] * width).square();
    masks[i] = (distance.sqrt() < static_cast<double>(std::min(height, width)) / 3).to(masks);
  }
  return masks;
}

torch::Tensor some_boxes(int64_t count, int64_t height, int64_t width) {
  const auto extent = torch::tensor({static_cast<float>(width), static_cast<float>(height)});
  const auto corner = (torch::rand({count, 2}) * 1.4 - 0.2) * extent;
  auto boxes = torch::cat({corner, corner + torch::rand({count, 2}) * extent * 0.7}, 1);
  boxes.narrow(0, 0, count / 3).round_();
  return boxes;
}

}  // namespace

TEST_CASE("mask targets equal resized and pooled dense masks") {
  torch::manual_seed(8);
  struct Size {
    int64_t height, width;
  };
  const Size from{37, 53};
  const auto masks = some_masks(9, from.height, from.width);
  for (const auto& to :
       {from, Size{74, 106}, Size{61, 87}, Size{18, 26}, Size{5, 90}, Size{1, 1}}) {
    const auto boxes = some_boxes(60, to.height, to.width);
    const auto matched = torch::randint(0, 9, {60});
    for (const int64_t size : {1, 5, 28}) {
      check(masks, boxes, matched, to.height, to.width, size);
    }
  }
}

TEST_CASE("mask targets: full, empty and one-pixel masks; invalid boxes") {
  auto masks = torch::zeros({4, 20, 30}, torch::kUInt8);
  masks[0].fill_(1);
  masks[2][19][29] = 1;
  masks[3][0][0] = 1;
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto boxes = torch::tensor({{0.0F, 0.0F, 30.0F, 20.0F},
                                    {29.0F, 19.0F, 30.0F, 20.0F},
                                    {-50.0F, -50.0F, -20.0F, -20.0F},
                                    {100.0F, 100.0F, 140.0F, 140.0F},
                                    {9.0F, 9.0F, 4.0F, 14.0F},
                                    {3.0F, 3.0F, 3.0F, 3.0F},
                                    {-1e5F, -1e5F, 1e5F, 1e5F},
                                    {0.0F, 0.0F, kInf, 4.0F}});
  for (int64_t mask = 0; mask < 4; ++mask) {
    const auto matched = torch::full({boxes.size(0)}, mask, torch::kInt64);
    check(masks, boxes, matched, 20, 30, 7);
    // A pixel may disappear, or become several.
    check(masks, boxes, matched, 7, 11, 7);
    check(masks, boxes, matched, 60, 90, 7);
  }
}

TEST_CASE("mask targets: empty input, and wrong arguments") {
  const std::vector<Rle> masks{Rle{4, 4, {0, 16}}};
  const auto none = torch::empty({0, 4});
  const auto index = torch::empty({0}, torch::kInt64);
  CHECK(mask_targets(masks, none, index, 4, 4, 28).sizes() == at::IntArrayRef({0, 28, 28}));
  CHECK(mask_targets({}, none, index, 4, 4, 28).sizes() == at::IntArrayRef({0, 28, 28}));
  const auto box = torch::tensor({{0.0F, 0.0F, 2.0F, 2.0F}});
  CHECK_THROWS(mask_targets(masks, box, torch::ones({1}, torch::kInt64), 4, 4, 28));
  CHECK_THROWS(mask_targets(masks, box, index, 4, 4, 28));
  CHECK_THROWS(
      mask_targets(masks, box.to(torch::kFloat64), torch::zeros({1}, torch::kInt64), 4, 4, 28));
}

}  // namespace mask_targets_test
