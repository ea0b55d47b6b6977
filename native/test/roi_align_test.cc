#include "ops/roi_align.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "tensors.h"

namespace roi_align_test {

using cellroute::ops::roi_align;
using cellroute::test::same;
using cellroute::test::with_threads;

namespace {

struct Case {
  double scale;
  int64_t height, width, ratio;
  bool aligned;
};

constexpr std::array<Case, 6> kCases{{
    {0.25, 7, 7, 2, false},
    {0.25, 14, 14, 2, false},
    {0.5, 7, 5, 0, false},
    {0.25, 7, 7, 2, true},
    {1.0, 3, 3, -1, true},
    {0.5, 1, 4, 3, true},
}};

torch::Tensor pool(const Case& c, const torch::Tensor& input, const torch::Tensor& rois) {
  return roi_align(input, rois, c.scale, c.height, c.width, c.ratio, c.aligned);
}

double bilinear(const torch::Tensor& map, double y, double x) {
  const auto height = map.size(0), width = map.size(1);
  if (y < -1 || y > static_cast<double>(height) || x < -1 || x > static_cast<double>(width))
    return 0;
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto at = [&](double row, double column) {
    return map[static_cast<int64_t>(row)][static_cast<int64_t>(column)].item<double>();
  };
  const double top = std::floor(y), left = std::floor(x);
  const double bottom = std::min(top + 1, static_cast<double>(height - 1));
  const double right = std::min(left + 1, static_cast<double>(width - 1));
  const double dy = y - top, dx = x - left;
  return (1 - dy) * ((1 - dx) * at(top, left) + dx * at(top, right)) +
         dy * ((1 - dx) * at(bottom, left) + dx * at(bottom, right));
}

/** The paper's definition, sample by sample, in double. */
torch::Tensor reference(const Case& c, const torch::Tensor& input, const torch::Tensor& rois) {
  const auto maps = input.to(torch::kFloat64), boxes = rois.to(torch::kFloat64);
  auto output = torch::zeros({rois.size(0), input.size(1), c.height, c.width}, torch::kFloat64);
  for (int64_t k = 0; k < rois.size(0); ++k) {
    const auto coordinate = [&](int64_t i) {
      return boxes[k][i].item<double>() * c.scale - (c.aligned ? 0.5 : 0.0);
    };
    const double x1 = coordinate(1), y1 = coordinate(2);
    double w = coordinate(3) - x1, h = coordinate(4) - y1;
    if (!c.aligned) w = std::max(w, 1.0), h = std::max(h, 1.0);
    const double bin_h = h / static_cast<double>(c.height),
                 bin_w = w / static_cast<double>(c.width);
    const auto rows = c.ratio > 0 ? c.ratio : static_cast<int64_t>(std::ceil(bin_h));
    const auto columns = c.ratio > 0 ? c.ratio : static_cast<int64_t>(std::ceil(bin_w));
    for (int64_t channel = 0; channel < input.size(1); ++channel) {
      const auto map = maps[boxes[k][0].item<int64_t>()][channel];
      for (int64_t ph = 0; ph < c.height; ++ph) {
        for (int64_t pw = 0; pw < c.width; ++pw) {
          double sum = 0;
          for (int64_t i = 0; i < rows; ++i) {
            for (int64_t j = 0; j < columns; ++j) {
              sum += bilinear(
                  map,
                  y1 + bin_h * (static_cast<double>(ph) +
                                (static_cast<double>(i) + 0.5) / static_cast<double>(rows)),
                  x1 + bin_w * (static_cast<double>(pw) +
                                (static_cast<double>(j) + 0.5) / static_cast<double>(columns)));
            }
          }
          output[k][channel][ph][pw] =
              sum / static_cast<double>(std::max<int64_t>(rows * columns, 1));
        }
      }
    }
  }
  return output;
}

/** Boxes inside, across the borders and outside of two images of 44 x 32 pixels. No sample is at
 * the limit of the map (-1 or its size), where rounding would matter. */
torch::Tensor some_rois(torch::ScalarType dtype) {
  return torch::tensor({{0.0, 1.3, 2.1, 20.7, 17.9},
                        {1.0, -9.5, -4.2, 12.0, 8.5},
                        {1.0, 30.1, 20.2, 60.9, 44.4},
                        {0.0, 100.0, 100.0, 120.0, 130.0},
                        {1.0, 5.0, 5.0, 5.0, 5.0},
                        {0.0, 0.2, 0.1, 43.7, 31.9},
                        {1.0, 7.25, 3.0, 7.75, 31.0}},
                       dtype);
}

torch::Tensor some_maps(torch::ScalarType dtype, int64_t channels = 11) {
  torch::manual_seed(1);
  return torch::randn({2, channels, 8, 11}, dtype);
}

}  // namespace

TEST_CASE("roi_align: a ramp, computed by hand") {
  // map[y][x] = 4 y + x. Bins are 2 x 2 with samples at 0.5 and 1.5; 3.5 is clamped to the border
  // at 3.
  const auto map = torch::arange(16, torch::kFloat32).view({1, 1, 4, 4});
  const auto roi = torch::tensor({{0.0F, 0.0F, 0.0F, 4.0F, 4.0F}});
  CHECK(same(roi_align(map, roi, 1, 2, 2, 2, false),
             torch::tensor({5.0F, 6.75F, 12.0F, 13.75F}).view({1, 1, 2, 2})));
  // With `aligned`, everything moves by half a pixel up and left, and no sample is outside.
  CHECK(same(roi_align(map, roi, 1, 2, 2, 2, true),
             torch::tensor({2.5F, 4.5F, 10.5F, 12.5F}).view({1, 1, 2, 2})));
}

TEST_CASE("roi_align equals the slow reference") {
  for (const auto& c : kCases) {
    const auto wide = pool(c, some_maps(torch::kFloat64), some_rois(torch::kFloat64));
    const auto expected = reference(c, some_maps(torch::kFloat64), some_rois(torch::kFloat64));
    CHECK(torch::allclose(wide, expected, 1e-12, 1e-12));
    const auto maps = some_maps(torch::kFloat32);
    const auto narrow = pool(c, maps, some_rois(torch::kFloat32));
    CHECK((narrow.scalar_type() == torch::kFloat32));
    CHECK(torch::allclose(narrow.to(torch::kFloat64),
                          reference(c, maps, some_rois(torch::kFloat32)), 1e-4, 1e-4));
  }
}

TEST_CASE("roi_align: the gradient equals finite differences in float64") {
  for (const auto& c : kCases) {
    const auto rois = some_rois(torch::kFloat64);
    const auto maps = some_maps(torch::kFloat64, 9).requires_grad_();
    const auto output = pool(c, maps, rois);
    const auto weight = torch::randn_like(output);
    (output * weight).sum().backward();
    const torch::NoGradGuard no_grad;
    const auto numeric = torch::zeros_like(maps);
    const auto moved = maps.detach().clone();
    const auto values = moved.view(-1);
    const auto differences = numeric.view(-1);
    constexpr double kStep = 1e-3;
    // Every 7th value: coprime to the sizes, so that all rows, columns and channels are tested.
    for (int64_t i = 0; i < values.numel(); i += 7) {
      const double value = values[i].item<double>();
      values[i] = value + kStep;
      const double above = (pool(c, moved, rois) * weight).sum().item<double>();
      values[i] = value - kStep;
      const double below = (pool(c, moved, rois) * weight).sum().item<double>();
      values[i] = value;
      differences[i] = (above - below) / (2 * kStep);
    }
    const auto seen = torch::arange(0, values.numel(), 7);
    CHECK(torch::allclose(maps.grad().view(-1).index_select(0, seen),
                          differences.index_select(0, seen), 1e-7, 1e-8));
  }
}

TEST_CASE("roi_align: no boxes, no channels") {
  const auto maps = some_maps(torch::kFloat32).requires_grad_();
  const auto none = torch::empty({0, 5});
  const auto output = roi_align(maps, none, 0.5, 7, 5, 2, false);
  CHECK(output.sizes() == at::IntArrayRef({0, 11, 7, 5}));
  output.sum().backward();
  CHECK(same(maps.grad(), torch::zeros_like(maps)));
  CHECK(roi_align(torch::empty({2, 0, 8, 11}), some_rois(torch::kFloat32), 0.5, 7, 5, 2, false)
            .sizes() == at::IntArrayRef({7, 0, 7, 5}));
  CHECK(roi_align(torch::empty({0, 3, 8, 11}), none, 0.5, 7, 5, 2, false).size(0) == 0);
}

TEST_CASE("roi_align: invalid boxes give zeros") {
  const auto maps = some_maps(torch::kFloat32);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> odd{
      {kNan, 1, 5, 5}, {1, 1, kInf, 5}, {-kInf, 1, 5, 5}, {1, 1, 5, kNan}, {-3e38F, 1, 3e38F, 5}};
  for (const auto& box : odd) {
    const auto roi = torch::tensor({{0.0F, box[0], box[1], box[2], box[3]}});
    for (const auto& c : kCases) {
      const auto output = pool(c, maps, roi);
      CHECK(same(output, torch::zeros_like(output)));
    }
  }
  const auto negative = torch::tensor({{0.0F, 9.0F, 9.0F, 4.0F, 14.0F}});
  const auto zeros = torch::zeros({1, 11, 3, 3});
  CHECK(same(roi_align(maps, negative, 1, 3, 3, 2, true), zeros));
  CHECK(same(roi_align(maps, negative, 1, 3, 3, 0, true), zeros));
  // Without `aligned`, a box has at least 1 x 1 pixels.
  const auto smallest = torch::tensor({{0.0F, 9.0F, 9.0F, 10.0F, 14.0F}});
  CHECK(same(roi_align(maps, negative, 1, 3, 3, 2, false),
             roi_align(maps, smallest, 1, 3, 3, 2, false)));
}

TEST_CASE("roi_align: the cost of a huge box is limited by the map") {
  const auto maps = torch::ones({1, 2, 8, 11});
  for (const float size : {1e6F, 1e9F, 1e20F, 1e37F}) {
    const auto roi = torch::tensor({{0.0F, -size, -size, size, size}});
    const auto output = roi_align(maps, roi, 1, 3, 3, 0, true);
    CHECK(torch::isfinite(output).all().item<bool>());
    CHECK(output.abs().max().item<float>() < 1e-3F);
    CHECK(roi_align(maps, roi, 1, 3, 3, 2, false).isfinite().all().item<bool>());
  }
}

TEST_CASE("roi_align: NaN in the map affects only boxes that contain it") {
  const auto maps = torch::ones({1, 1, 8, 8});
  maps[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  const auto rois = torch::tensor({{0.0F, 0.0F, 0.0F, 2.0F, 2.0F}, {0.0F, 4.0F, 4.0F, 7.0F, 7.0F}});
  const auto output = roi_align(maps, rois, 1, 2, 2, 2, true);
  CHECK(output[0].isnan().any().item<bool>());
  CHECK(same(output[1], torch::ones({1, 2, 2})));
}

TEST_CASE("roi_align: results do not depend on layouts, order and threads") {
  const auto maps = some_maps(torch::kFloat32);
  const auto rois = some_rois(torch::kFloat32);
  const auto order = torch::tensor({4, 2, 6, 0, 1, 5, 3}, torch::kInt64);
  for (const auto& c : kCases) {
    const auto run = [&](const torch::Tensor& input, const torch::Tensor& boxes) {
      const auto leaf = input.detach().requires_grad_();
      const auto output = pool(c, leaf, boxes);
      (output * torch::arange(output.numel(), torch::kFloat32).view(output.sizes()))
          .sum()
          .backward();
      return std::make_pair(output.detach(), leaf.grad());
    };
    const auto [output, grad] = run(maps, rois);
    const auto last = run(
        maps.to(torch::kCPU, torch::kFloat32, false, true, at::MemoryFormat::ChannelsLast), rois);
    CHECK(same(last.first, output));
    CHECK(same(last.second, grad));
    const auto strided = run(maps.transpose(2, 3).contiguous().transpose(2, 3), rois);
    CHECK(same(strided.first, output));
    const auto rois_strided = rois.t().contiguous().t();
    CHECK(same(pool(c, maps, rois_strided), output));
    CHECK(same(pool(c, maps, rois.index_select(0, order)), output.index_select(0, order)));
    const auto one = with_threads(1, [&] { return run(maps, rois); });
    const auto two = with_threads(2, [&] { return run(maps, rois); });
    CHECK(same(one.first, two.first));
    CHECK(same(one.second, two.second));
  }
}

TEST_CASE("roi_align refuses invalid arguments") {
  const auto maps = some_maps(torch::kFloat32);
  const auto roi = [](float image) { return torch::tensor({{image, 0.0F, 0.0F, 4.0F, 4.0F}}); };
  for (const float image : {2.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(), 1e30F}) {
    CHECK_THROWS_AS(roi_align(maps, roi(image), 1, 2, 2, 2, false), c10::Error);
  }
  CHECK_THROWS_AS(roi_align(maps[0], roi(0), 1, 2, 2, 2, false), c10::Error);
  CHECK_THROWS_AS(roi_align(maps, roi(0).slice(1, 0, 4), 1, 2, 2, 2, false), c10::Error);
  CHECK_THROWS_AS(roi_align(maps, roi(0).to(torch::kFloat64), 1, 2, 2, 2, false), c10::Error);
  CHECK_THROWS_AS(roi_align(maps.to(torch::kInt64), roi(0).to(torch::kInt64), 1, 2, 2, 2, false),
                  c10::Error);
  CHECK_THROWS_AS(roi_align(maps, roi(0), 1, 0, 2, 2, false), c10::Error);
  CHECK_THROWS_AS(roi_align(maps, roi(0), 0, 2, 2, 2, false), c10::Error);
  CHECK_THROWS_AS(roi_align(torch::empty({1, 1, 0, 4}), roi(0), 1, 2, 2, 2, false), c10::Error);
  CHECK_THROWS_AS(roi_align(maps, roi(0), 1, 2, 2, 1'000'000'000, false), c10::Error);
}

TEST_CASE("roi_align refuses second derivatives") {
  const auto maps = some_maps(torch::kFloat64).requires_grad_();
  const auto output = roi_align(maps, some_rois(torch::kFloat64), 0.25, 3, 3, 2, true);
  const auto grad = torch::autograd::grad({output.pow(2).sum()}, {maps}, {}, true, true)[0];
  CHECK_THROWS_AS(grad.sum().backward(), c10::Error);
}

}  // namespace roi_align_test
