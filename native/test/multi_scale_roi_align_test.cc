#include "model/multi_scale_roi_align.h"

#include <cmath>

#include "ops/roi_align.h"
#include "tensors.h"

namespace multi_scale_roi_align_test {

using cellroute::model::ImageSize;
using cellroute::model::multi_scale_roi_align_channels_last;
using cellroute::model::to_rois;

TEST_CASE("multi-scale RoIAlign: each box is pooled from the level of its size") {
  torch::manual_seed(3);
  std::vector<torch::Tensor> levels;
  for (const int64_t stride : {4, 8, 16}) {
    levels.push_back(torch::randn({2, 5, 512 / stride, 256 / stride}));
  }
  // 500 rows in maps of 512: the scale is rounded to a power of two.
  const std::vector<ImageSize> images{{500, 250}, {300, 256}};
  std::vector<torch::Tensor> boxes;
  for (int i = 0; i < 2; ++i) {
    const auto corner = torch::rand({20, 2}) * 100;
    boxes.push_back(torch::cat({corner, corner + torch::rand({20, 2}) * 400 + 0.5}, 1));
  }
  // On the limit between two levels, and without area.
  boxes[0][0] = torch::tensor({0.0F, 0.0F, 112.0F, 112.0F});
  boxes[0][1] = torch::tensor({0.0F, 0.0F, 224.0F, 224.0F});
  boxes[0][2] = torch::tensor({8.0F, 8.0F, 8.0F, 20.0F});

  const auto rois = to_rois(boxes);
  REQUIRE(rois.sizes() == torch::IntArrayRef({40, 5}));
  CHECK(rois[0][0].item<double>() == 0);
  CHECK(rois[39][0].item<double>() == 1);
  const auto pooled = multi_scale_roi_align_channels_last(levels, rois, images, 3, 2);
  const auto only = multi_scale_roi_align_channels_last({levels[1]}, rois, images, 3, 2);
  for (int64_t i = 0; i < 40; ++i) {
    const auto side = [&](int64_t j) { return rois[i][j].item<double>(); };
    const double size = std::sqrt((side(3) - side(1)) * (side(4) - side(2)));
    const double wanted = std::floor(4 + std::log2(size / 224) + 1e-6);
    const auto level = static_cast<size_t>(std::min(std::max(wanted, 2.0), 4.0)) - 2;
    const auto expected = [&](size_t on) {
      return cellroute::ops::roi_align(levels[on], rois.narrow(0, i, 1),
                                       1.0 / static_cast<double>(4 << on), 3, 3, 2, false);
    };
    CHECK(torch::allclose(pooled.narrow(0, i, 1), expected(level), 1e-5, 1e-5));
    // With one level, every box belongs to it.
    CHECK(torch::allclose(only.narrow(0, i, 1), expected(1), 1e-5, 1e-5));
  }
}

TEST_CASE("multi-scale RoIAlign: no boxes") {
  const std::vector<torch::Tensor> levels{torch::zeros({1, 5, 8, 8}), torch::zeros({1, 5, 4, 4})};
  const auto rois = to_rois({torch::zeros({0, 4})});
  CHECK(multi_scale_roi_align_channels_last(levels, rois, {{32, 32}}, 7, 2).sizes() ==
        torch::IntArrayRef({0, 5, 7, 7}));
}

}  // namespace multi_scale_roi_align_test
