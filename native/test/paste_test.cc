#include "ops/paste.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tensors.h"

namespace paste_test {

using cellroute::mask::Rle;
using cellroute::ops::paste_masks;
using cellroute::test::with_threads;

namespace {

/** The image-sized maps that paste_masks does not need: [N, H, W]. */
torch::Tensor reference(const torch::Tensor& probabilities, const torch::Tensor& boxes,
                        int64_t height, int64_t width) {
  const auto padded = torch::constant_pad_nd(probabilities, {1, 1, 1, 1});
  const auto cells = probabilities.size(1);
  const auto scale =
      static_cast<float>(static_cast<double>(cells + 2) / static_cast<double>(cells));
  auto images = torch::zeros({probabilities.size(0), height, width});
  for (int64_t i = 0; i < probabilities.size(0); ++i) {
    const auto low = boxes[i].slice(0, 0, 2), high = boxes[i].slice(0, 2, 4);
    const auto half = (high - low) * 0.5 * scale, centre = (high + low) * 0.5;
    const auto corners = torch::cat({centre - half, centre + half}).to(torch::kInt64);
    const auto x1 = corners[0].item<int64_t>(), y1 = corners[1].item<int64_t>();
    const auto w = std::max<int64_t>(corners[2].item<int64_t>() - x1 + 1, 1);
    const auto h = std::max<int64_t>(corners[3].item<int64_t>() - y1 + 1, 1);
    const auto map = at::upsample_bilinear2d(padded[i].view({1, 1, cells + 2, cells + 2}), {h, w},
                                             /*align_corners=*/false)[0][0];
    for (int64_t y = std::max<int64_t>(y1, 0); y < std::min(y1 + h, height); ++y) {
      const auto left = std::max<int64_t>(x1, 0), right = std::min(x1 + w, width);
      if (left < right) {
        images[i][y].slice(0, left, right) = map[y - y1].slice(0, left - x1, right - x1);
      }
    }
  }
  return images;
}

/** Decodes to [H, W] of bools. */
torch::Tensor decode(const Rle& rle) {
  const auto columns = torch::zeros({int64_t{rle.width} * rle.height}, torch::kBool);
  int64_t position = 0;
  bool inside = false;
  for (const auto count : rle.counts) {
    columns.slice(0, position, position + count).fill_(inside);
    position += count;
    inside = !inside;
  }
  REQUIRE(position == columns.numel());
  return columns.view({rle.width, rle.height}).t();
}

/** Number of different pixels, except where the probability nearly equals the threshold: without
 *  fused multiply-add, the last bit of the reference differs. */
int64_t differences(const std::vector<Rle>& masks, const torch::Tensor& images, double threshold) {
  REQUIRE(static_cast<int64_t>(masks.size()) == images.size(0));
  int64_t count = 0;
  for (size_t i = 0; i < masks.size(); ++i) {
    const auto image = images[static_cast<int64_t>(i)];
    const auto clear = (image - threshold).abs().gt(1e-6).logical_or(image.eq(0));
    count += decode(masks[i]).ne(image.gt(threshold)).logical_and(clear).sum().item<int64_t>();
    for (size_t c = 1; c < masks[i].counts.size(); ++c) CHECK(masks[i].counts[c] > 0);
  }
  return count;
}

Rle empty_mask(uint32_t height, uint32_t width) { return {height, width, {height * width}}; }

Rle paste_one(const std::vector<float>& box, int64_t height = 20, int64_t width = 30) {
  return paste_masks(torch::ones({1, 28, 28}), torch::tensor(box).view({1, 4}), height, width,
                     0.5)[0];
}

}  // namespace

TEST_CASE("paste_masks: one cell, computed by hand") {
  // With its border the mask is 3 x 3 over the pixels 0..6. The weights along each side are
  // 0, 1/7, 4/7, 1, 4/7, 1/7, 0.
  const auto mask = torch::ones({1, 1, 1});
  const auto box = torch::tensor({{2.0F, 2.0F, 4.0F, 4.0F}});
  // 16/49 is above 0.3: pixels 2..4 of columns 2..4.
  CHECK(paste_masks(mask, box, 8, 7, 0.3)[0].counts ==
        std::vector<uint32_t>{18, 3, 5, 3, 5, 3, 19});
  // 4/7 is above 0.5, 16/49 is not: a cross.
  CHECK(paste_masks(mask, box, 8, 7, 0.5)[0].counts ==
        std::vector<uint32_t>{19, 1, 6, 3, 6, 1, 20});
}

TEST_CASE("paste_masks equals resize, paste and threshold") {
  torch::manual_seed(5);
  constexpr int64_t kCount = 120;
  // Sizes on both sides of 128, where LibTorch changes its arithmetic, and across all image
  // borders.
  const auto corner = torch::rand({kCount, 2}) * 260 - 60;
  const auto size = torch::rand({kCount, 2}).pow(3) * 220;
  const auto boxes = torch::cat({corner, corner + size}, 1);
  for (const int64_t cells : {1, 14, 28}) {
    const auto probabilities = torch::rand({kCount, cells, cells});
    const auto images = reference(probabilities, boxes, 150, 170);
    for (const double threshold : {0.0, 0.3, 0.5, 0.6}) {
      CHECK(differences(paste_masks(probabilities, boxes, 150, 170, threshold), images,
                        threshold) == 0);
    }
  }
}

TEST_CASE("paste_masks: a box with the size of the mask with its border is not resampled") {
  torch::manual_seed(6);
  const auto probabilities = torch::rand({1, 28, 28});
  const auto boxes = torch::tensor({{6.0F, 6.0F, 33.0F, 33.0F}});
  CHECK(differences(paste_masks(probabilities, boxes, 40, 40, 0.5),
                    reference(probabilities, boxes, 40, 40), 0.5) == 0);
}

TEST_CASE("paste_masks: boxes outside, with negative or infinite size give empty masks") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> odd{
      {-50, 2, -20, 9},      {2, -50, 9, -20},     {50, 2, 70, 9},         {2, 50, 9, 70},
      {-50, -50, -9, -9},    {20, 2, 5, 9},        {2, 15, 9, 3},          {kNan, 2, 9, 9},
      {2, 2, kInf, 9},       {-kInf, 2, 9, 9},     {-kInf, 2, kInf, 9},    {2, kNan, 9, kNan},
      {-3e38F, 2, 3e38F, 9}, {1e30F, 2, 2e30F, 9}, {-1e12F, 50, 1e12F, 70}};
  for (const auto& box : odd) CHECK(paste_one(box) == empty_mask(20, 30));
}

TEST_CASE("paste_masks: huge boxes") {
  // The image is at the centre of the box, where every probability is 1.
  CHECK(paste_one({-1e9F, -1e9F, 1e9F, 1e9F}) == Rle{20, 30, {0, 600}});
  CHECK(paste_one({-1e9F, 5, 1e9F, 14}).counts.size() > 1);
  // The image is at the corner of the border, where the probability is 0.
  CHECK(paste_one({4e7F, 4e7F, 1.2e9F, 1.2e9F}) == empty_mask(20, 30));
}

TEST_CASE("paste_masks: a box without area is one pixel") {
  CHECK(paste_one({5, 7, 5, 7}) == Rle{20, 30, {107, 1, 492}});
}

TEST_CASE("paste_masks: pixels with NaN probability belong to no mask") {
  const auto nans = torch::full({1, 28, 28}, std::numeric_limits<float>::quiet_NaN());
  CHECK(paste_masks(nans, torch::tensor({{2.0F, 2.0F, 9.0F, 9.0F}}), 20, 30, 0.5)[0] ==
        empty_mask(20, 30));
}

TEST_CASE("paste_masks: no masks, and an image without pixels") {
  CHECK(paste_masks(torch::empty({0, 28, 28}), torch::empty({0, 4}), 20, 30, 0.5).empty());
  const auto flat = paste_one({2, 2, 9, 9}, 0, 30);
  CHECK(std::accumulate(flat.counts.begin(), flat.counts.end(), 0U) == 0);
}

TEST_CASE("paste_masks: results do not depend on layouts and threads") {
  torch::manual_seed(7);
  const auto probabilities = torch::rand({9, 28, 28});
  const auto corner = torch::rand({9, 2}) * 50;
  const auto boxes = torch::cat({corner, corner + 30}, 1);
  const auto run = [&] { return paste_masks(probabilities, boxes, 80, 90, 0.5); };
  const auto expected = run();
  CHECK((with_threads(1, run) == expected));
  CHECK((with_threads(2, run) == expected));
  const auto strided = probabilities.transpose(1, 2).contiguous().transpose(1, 2);
  CHECK((paste_masks(strided, boxes.t().contiguous().t(), 80, 90, 0.5) == expected));
}

TEST_CASE("paste_masks refuses invalid arguments") {
  const auto mask = torch::ones({1, 28, 28});
  const auto box = torch::zeros({1, 4});
  CHECK_THROWS_AS(paste_masks(mask, box, 20, 30, -0.1), c10::Error);
  CHECK_THROWS_AS(paste_masks(mask, box, 20, 30, std::nan("")), c10::Error);
  CHECK_THROWS_AS(paste_masks(mask, box, 100'000, 100'000, 0.5), c10::Error);
  CHECK_THROWS_AS(paste_masks(mask, box, -1, 30, 0.5), c10::Error);
  CHECK_THROWS_AS(paste_masks(mask[0], box, 20, 30, 0.5), c10::Error);
  CHECK_THROWS_AS(paste_masks(mask, torch::zeros({2, 4}), 20, 30, 0.5), c10::Error);
  CHECK_THROWS_AS(paste_masks(mask.to(torch::kFloat64), box, 20, 30, 0.5), c10::Error);
}

}  // namespace paste_test
