#include "ops/cuda/roi_align_levels.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "ops/cuda/roi_align_kernels.cuh"

namespace cellroute::ops::cuda {
namespace {

void check_count(size_t levels) {
  TORCH_CHECK(levels <= kMaxLevels, "roi_align_levels: at most ", kMaxLevels,
              " levels on a GPU, got ", levels);
}

template <typename T>
void pool(const std::vector<at::Tensor>& maps, const std::vector<RoiAlignParams>& params,
          const at::Tensor& rois, const at::Tensor& level, const at::Tensor& output) {
  Levels<const T> levels{};
  levels.count = static_cast<int>(maps.size());
  for (size_t i = 0; i < maps.size(); ++i) {
    levels.maps[i] = maps_of(maps[i], maps[i].const_data_ptr<T>());
    levels.params[i] = params[i];
  }
  launch_pool<T, float>(levels, rois.const_data_ptr<float>(), level.const_data_ptr<int64_t>(),
                        output, /*channels_last=*/true);
}

}  // namespace

at::Tensor roi_align_levels(const std::vector<at::Tensor>& maps,
                            const std::vector<RoiAlignParams>& params, const at::Tensor& rois,
                            const at::Tensor& level) {
  check_count(maps.size());
  const auto& first = maps.front();
  const c10::cuda::CUDAGuard guard(first.device());
  auto output = at::empty(
      {rois.size(0), first.size(1), params.front().pooled_height, params.front().pooled_width},
      first.options(), at::MemoryFormat::ChannelsLast);
  switch (first.scalar_type()) {
    case at::kFloat:
      pool<float>(maps, params, rois, level, output);
      break;
    case at::kHalf:
      pool<at::Half>(maps, params, rois, level, output);
      break;
    case at::kBFloat16:
      pool<at::BFloat16>(maps, params, rois, level, output);
      break;
    default:
      TORCH_CHECK(false, "roi_align_levels: maps may not be ", first.scalar_type(), " on a GPU");
  }
  return output;
}

std::vector<at::Tensor> roi_align_levels_backward(
    const at::Tensor& grad, const std::vector<std::vector<int64_t>>& map_sizes,
    const std::vector<RoiAlignParams>& params, const at::Tensor& rois, const at::Tensor& level) {
  check_count(map_sizes.size());
  const c10::cuda::CUDAGuard guard(grad.device());
  std::vector<at::Tensor> grads;
  Levels<float> levels{};
  levels.count = static_cast<int>(map_sizes.size());
  for (size_t i = 0; i < map_sizes.size(); ++i) {
    const auto& sizes = map_sizes[i];
    grads.push_back(
        at::zeros({sizes[0], sizes[2], sizes[3], sizes[1]}, grad.options()).permute({0, 3, 1, 2}));
    levels.maps[i] = maps_of(grads.back(), grads.back().mutable_data_ptr<float>());
    levels.params[i] = params[i];
  }
  launch_backward<float>(levels, rois.const_data_ptr<float>(), level.const_data_ptr<int64_t>(),
                         grad, /*channels_last=*/true);
  return grads;
}

}  // namespace cellroute::ops::cuda
