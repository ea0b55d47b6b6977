#include "ops/roi_align_levels.h"

#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <vector>

#include "ops/cpu/roi/roi_align_levels.h"
#include "ops/roi_align.h"
#include "ops/winograd_conv.h"
#include "tensors.h"

namespace roi_align_levels_test {

using cellroute::ops::roi_align;
using cellroute::ops::roi_align_levels;
using cellroute::ops::RoiAlignParams;
using cellroute::test::same;
using cellroute::test::with_threads;
namespace cpu = cellroute::ops::cpu;

namespace {

std::vector<double> scales() { return {0.25, 0.125, 0.0625}; }

struct Pyramid {
  std::vector<torch::Tensor> maps;
  torch::Tensor rois, level;
};

/** Two images of 96 x 80 with boxes inside, across the border, outside, empty and NaN. */
Pyramid pyramid(int64_t channels) {
  torch::manual_seed(channels);
  Pyramid p;
  for (const int64_t stride : {4, 8, 16}) {
    p.maps.push_back(torch::randn({2, channels, 96 / stride, 80 / stride})
                         .contiguous(at::MemoryFormat::ChannelsLast));
  }
  const auto corner = torch::rand({40, 2}) * 110 - 20;
  p.rois = torch::cat({torch::randint(0, 2, {40, 1}).to(torch::kFloat32), corner,
                       corner + torch::rand({40, 2}) * 60},
                      1);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  p.rois[1] = torch::tensor({1.0F, 500.0F, 500.0F, 600.0F, 600.0F});
  p.rois[2] = torch::tensor({0.0F, 9.0F, 9.0F, 9.0F, 9.0F});
  p.rois[3] = torch::tensor({0.0F, kNan, 0.0F, 9.0F, 9.0F});
  p.level = torch::randint(0, 3, {40}, torch::kInt64);
  return p;
}

/** Slow reference: each box on its own map. */
torch::Tensor reference(const Pyramid& p, int64_t size, int64_t ratio, bool aligned) {
  std::vector<torch::Tensor> pooled;
  for (int64_t k = 0; k < p.rois.size(0); ++k) {
    const auto level = static_cast<size_t>(p.level[k].item<int64_t>());
    pooled.push_back(roi_align(p.maps[level].to(torch::kFloat32), p.rois.narrow(0, k, 1),
                               scales()[level], size, size, ratio, aligned));
  }
  return torch::cat(pooled);
}

}  // namespace

TEST_CASE("RoIAlign over levels: every instruction set equals RoIAlign box by box") {
  for (const int64_t channels : {1, 5, 16, 70, 256}) {
    const auto p = pyramid(channels);
    for (const bool aligned : {false, true}) {
      for (const int64_t ratio : {2, 0}) {
        const auto expected = reference(p, 7, ratio, aligned);
        std::vector<RoiAlignParams> params;
        for (const double scale : scales()) params.push_back({scale, 7, 7, ratio, aligned});
        for (const auto* const* kernels = cpu::usable_kernels<float>(); *kernels != nullptr;
             ++kernels) {
          const auto pooled = cpu::roi_align_levels(**kernels, p.maps, params, p.rois, p.level);
          CHECK(pooled.is_contiguous(at::MemoryFormat::ChannelsLast));
          CHECK(torch::allclose(pooled, expected, 1e-5, 1e-5));
        }
      }
    }
  }
}

TEST_CASE("RoIAlign over levels: bfloat16 is rounded once") {
  if (!cellroute::ops::winograd_supports(torch::kBFloat16)) return;
  auto p = pyramid(37);
  for (auto& map : p.maps) map = map.to(torch::kBFloat16);
  const auto pooled = roi_align_levels(p.maps, scales(), p.rois, p.level, 5, 2, false);
  CHECK((pooled.scalar_type() == torch::kBFloat16));
  CHECK(torch::allclose(pooled.to(torch::kFloat32), reference(p, 5, 2, false), 5e-3, 1e-5));
}

TEST_CASE("RoIAlign over levels: results do not depend on layouts and threads") {
  auto p = pyramid(20);
  const auto run = [&] { return roi_align_levels(p.maps, scales(), p.rois, p.level, 7, 2, false); };
  const auto expected = with_threads(1, run);
  CHECK(same(with_threads(2, run), expected));
  for (auto& map : p.maps) map = map.contiguous();
  p.rois = p.rois.t().contiguous().t();
  CHECK(same(run(), expected));
}

TEST_CASE("RoIAlign over levels: no boxes, and boxes on no level") {
  auto p = pyramid(6);
  CHECK(roi_align_levels(p.maps, scales(), p.rois.narrow(0, 0, 0), p.level.narrow(0, 0, 0), 7, 2,
                         false)
            .sizes() == torch::IntArrayRef({0, 6, 7, 7}));
  p.level[0] = 3;
  p.level[4] = std::numeric_limits<int64_t>::min();
  const auto pooled = roi_align_levels(p.maps, scales(), p.rois, p.level, 3, 2, false);
  CHECK(pooled[0].eq(0).all().item<bool>());
  CHECK(pooled[4].eq(0).all().item<bool>());
}

TEST_CASE("RoIAlign over levels refuses inconsistent sizes") {
  const auto p = pyramid(6);
  const auto refused = [&](const std::vector<torch::Tensor>& maps,
                           const std::vector<double>& scales, const torch::Tensor& rois,
                           const torch::Tensor& level) {
    CHECK_THROWS_AS(roi_align_levels(maps, scales, rois, level, 7, 2, false), c10::Error);
  };
  refused({}, {}, p.rois, p.level);
  refused(p.maps, {0.25}, p.rois, p.level);
  refused(p.maps, {0.25, 0.5, -1}, p.rois, p.level);
  refused({p.maps[0], p.maps[1].narrow(1, 0, 5), p.maps[2]}, scales(), p.rois, p.level);
  refused({p.maps[0], p.maps[1], p.maps[2].to(torch::kFloat64)}, scales(), p.rois, p.level);
  refused(p.maps, scales(), p.rois.narrow(1, 0, 4), p.level);
  refused(p.maps, scales(), p.rois, p.level.narrow(0, 0, 4));
  refused(p.maps, scales(), p.rois + torch::tensor({2.0F, 0.0F, 0.0F, 0.0F, 0.0F}), p.level);
}

TEST_CASE("RoIAlign over levels: gradients equal those of RoIAlign in double") {
  for (const int64_t channels : {1, 5, 70, 256}) {
    auto p = pyramid(channels);
    p.level[7] = 3;  // no level
    std::vector<torch::Tensor> exact;
    for (auto& map : p.maps) {
      exact.push_back(map.to(torch::kFloat64).contiguous().requires_grad_(true));
      map.requires_grad_(true);
    }
    const auto pooled = roi_align_levels(p.maps, scales(), p.rois, p.level, 5, 2, false);
    const auto upstream = torch::randn_like(pooled);
    const auto run = [&] { return torch::autograd::grad({pooled}, p.maps, {upstream}, true); };
    const auto grads = with_threads(1, run);
    const auto threaded = with_threads(3, run);

    auto loss = torch::zeros({}, torch::kFloat64);
    for (int64_t level = 0; level < 3; ++level) {
      const auto index = (p.level == level).nonzero().squeeze(1);
      const auto some = roi_align(exact[level], p.rois.index_select(0, index).to(torch::kFloat64),
                                  scales()[level], 5, 5, 2, false);
      loss = loss + (some * upstream.index_select(0, index)).sum();
    }
    const auto expected = torch::autograd::grad({loss}, exact);
    for (size_t level = 0; level < 3; ++level) {
      CHECK(torch::allclose(grads[level].to(torch::kFloat64), expected[level], 1e-4, 1e-5));
      CHECK(same(grads[level], threaded[level]));
    }
  }
}

TEST_CASE(
    "RoIAlign over levels: the gradient is zero without boxes; second derivatives are refused") {
  auto p = pyramid(6);
  for (auto& map : p.maps) map.requires_grad_(true);
  const auto none = roi_align_levels(p.maps, scales(), p.rois.narrow(0, 0, 0),
                                     p.level.narrow(0, 0, 0), 7, 2, false);
  for (const auto& grad : torch::autograd::grad({none.sum()}, p.maps)) {
    CHECK(grad.eq(0).all().item<bool>());
  }
  const auto pooled = roi_align_levels(p.maps, scales(), p.rois, p.level, 3, 2, false);
  CHECK_THROWS_AS(torch::autograd::grad({pooled.sum()}, p.maps, {}, true, /*create_graph=*/true),
                  c10::Error);
}

}  // namespace roi_align_levels_test
