#include "model/multi_scale_roi_align.h"

#include <algorithm>
#include <cmath>

#include "engine/profile.h"
#include "ops/roi_align_levels.h"

namespace cellroute::model {
namespace {

constexpr bool kAligned = false;

/** k of each level, whose scale is 2^-k. */
std::vector<int64_t> strides_log2(const std::vector<torch::Tensor>& levels,
                                  const std::vector<ImageSize>& images) {
  TORCH_CHECK(!levels.empty() && !images.empty(), "RoIAlign needs a level and an image");
  int64_t tallest = 0;
  for (const auto& image : images) tallest = std::max(tallest, image.height);
  std::vector<int64_t> strides;
  for (const auto& level : levels) {
    const auto scale = static_cast<double>(level.size(2)) / static_cast<double>(tallest);
    strides.push_back(-static_cast<int64_t>(std::nearbyint(std::log2(static_cast<float>(scale)))));
  }
  return strides;
}

double scale_of(int64_t stride_log2) { return std::exp2(-static_cast<double>(stride_log2)); }

/** Level index [K]: level 4 for a box of 224 x 224 pixels, one level more or less for each
 *  doubling or halving, within the existing levels. */
torch::Tensor assign_levels(const torch::Tensor& rois, int64_t finest, int64_t coarsest) {
  constexpr double kCanonicalSize = 224;
  constexpr double kCanonicalLevel = 4;
  // Keeps a box of exactly twice or half the canonical size on its level.
  constexpr double kEps = 1e-6;
  const auto sides = rois.narrow(1, 3, 2) - rois.narrow(1, 1, 2);
  const auto size = sides.prod(1).sqrt();
  const auto level = (kCanonicalLevel + torch::log2(size / kCanonicalSize) + kEps).floor();
  return level.clamp(finest, coarsest).to(torch::kInt64) - finest;
}

}  // namespace

torch::Tensor to_rois(const std::vector<torch::Tensor>& boxes) {
  std::vector<torch::Tensor> rois;
  for (size_t i = 0; i < boxes.size(); ++i) {
    rois.push_back(torch::cat(
        {torch::full({boxes[i].size(0), 1}, static_cast<double>(i), boxes[i].options()), boxes[i]},
        1));
  }
  return torch::cat(rois);
}

torch::Tensor multi_scale_roi_align_channels_last(const std::vector<torch::Tensor>& levels,
                                                  const torch::Tensor& rois,
                                                  const std::vector<ImageSize>& images,
                                                  int64_t output_size, int64_t sampling_ratio) {
  const StageScope stage("roi_align");
  const auto strides = strides_log2(levels, images);
  std::vector<double> scales;
  for (const int64_t stride : strides) scales.push_back(scale_of(stride));
  const auto level = levels.size() == 1
                         ? torch::zeros({rois.size(0)}, rois.options().dtype(torch::kInt64))
                         : assign_levels(rois, strides.front(), strides.back());
  return ops::roi_align_levels(levels, scales, rois, level, output_size, sampling_ratio, kAligned);
}

}  // namespace cellroute::model
