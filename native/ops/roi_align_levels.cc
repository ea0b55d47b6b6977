#include "ops/roi_align_levels.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "ops/activations.h"
#include "ops/cpu/roi/roi_align_levels.h"
#include "ops/cuda/roi_align_levels.h"

namespace cellroute::ops {
namespace {

bool is_supported(const at::Tensor& map) {
  const auto dtype = map.scalar_type();
  if (map.is_cuda()) {
    return dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16;
  }
  return dtype == at::kFloat ||
         (dtype == at::kBFloat16 && *cpu::usable_kernels<cpu::Bfloat16Bits>() != nullptr);
}

void check_maps(const std::vector<at::Tensor>& maps, const std::vector<double>& scales) {
  TORCH_CHECK(!maps.empty() && maps.size() == scales.size(),
              "roi_align_levels: needs a map, and a scale for each, got ", maps.size(), " and ",
              scales.size());
  const auto& first = maps.front();
  TORCH_CHECK(is_supported(first), "roi_align_levels: maps may not be ", first.scalar_type(),
              " on ", first.is_cuda() ? "a GPU" : "this processor");
  for (const auto& map : maps) {
    TORCH_CHECK(map.dim() == 4 && map.size(0) == first.size(0) && map.size(1) == first.size(1) &&
                    map.size(2) > 0 && map.size(3) > 0,
                "roi_align_levels: maps must be [N, C, Hi, Wi], got ", map.sizes(), " beside ",
                first.sizes());
    TORCH_CHECK(map.scalar_type() == first.scalar_type() && map.device() == first.device() &&
                    (map.is_cpu() || map.is_cuda()),
                "roi_align_levels: maps must be of one type on the CPU or on one GPU, got ",
                map.scalar_type(), " on ", map.device());
    TORCH_CHECK(
        !at::GradMode::is_enabled() || !map.requires_grad() || map.scalar_type() == at::kFloat,
        "roi_align_levels: differentiable in float32 only");
  }
  for (const double scale : scales) {
    TORCH_CHECK(std::isfinite(scale) && scale > 0,
                "roi_align_levels: scales must be positive and finite, got ", scale);
  }
}

void check_rois(const at::Tensor& rois, const at::Tensor& level, const at::Tensor& map) {
  TORCH_CHECK(rois.dim() == 2 && rois.size(1) == 5 && rois.scalar_type() == at::kFloat &&
                  rois.device() == map.device(),
              "roi_align_levels: rois must be float32 [K, 5] on ", map.device(), ", got ",
              rois.scalar_type(), " ", rois.sizes(), " on ", rois.device());
  TORCH_CHECK(level.dim() == 1 && level.size(0) == rois.size(0) &&
                  level.scalar_type() == at::kLong && level.device() == map.device(),
              "roi_align_levels: level must be int64 [", rois.size(0), "], got ",
              level.scalar_type(), " ", level.sizes());
  // Not checked on a GPU, where it would wait for the device: its kernels check the index and
  // return zeros for such a box.
  if (map.is_cuda()) return;
  const auto image = rois.select(1, 0);
  TORCH_CHECK(image.ge(0).logical_and(image.lt(map.size(0))).all().item<bool>(),
              "roi_align_levels: the first column of rois must be an index into the ", map.size(0),
              " images of the batch");
}

struct Arguments : torch::CustomClassHolder {
  std::vector<std::vector<int64_t>> map_sizes;
  std::vector<RoiAlignParams> params;
};

class RoiAlignLevels : public torch::autograd::Function<RoiAlignLevels> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, at::TensorList maps,
                            const std::vector<RoiAlignParams>& params, const at::Tensor& rois,
                            const at::Tensor& level) {
    ctx->save_for_backward({rois, level});
    auto arguments = c10::make_intrusive<Arguments>();
    for (const auto& map : maps) arguments->map_sizes.push_back(map.sizes().vec());
    arguments->params = params;
    ctx->saved_data["arguments"] = c10::IValue::make_capsule(std::move(arguments));
    if (rois.is_cuda()) return cuda::roi_align_levels(maps.vec(), params, rois, level);
    return cpu::roi_align_levels(**cpu::usable_kernels<float>(), maps.vec(), params, rois, level);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "roi_align_levels: second derivatives are not supported");
    const auto saved = ctx->get_saved_variables();
    const auto capsule = ctx->saved_data["arguments"].toCapsule();
    const auto& arguments = static_cast<const Arguments&>(*capsule);
    const auto backward =
        grads[0].is_cuda() ? cuda::roi_align_levels_backward : cpu::roi_align_levels_backward;
    auto result = backward(grads[0].contiguous(at::MemoryFormat::ChannelsLast), arguments.map_sizes,
                           arguments.params, saved[0], saved[1]);
    // No gradients for the parameters, the RoIs and their levels.
    result.resize(result.size() + 3);
    return result;
  }
};

}  // namespace

at::Tensor roi_align_levels(const std::vector<at::Tensor>& maps, const std::vector<double>& scales,
                            const at::Tensor& rois, const at::Tensor& level, int64_t pooled_size,
                            int64_t sampling_ratio, bool aligned) {
  check_maps(maps, scales);
  check_rois(rois, level, maps.front());
  TORCH_CHECK(pooled_size > 0, "roi_align_levels: pooled_size must be positive, got ", pooled_size);
  TORCH_CHECK(sampling_ratio <= kMaxRoiAlignGrid,
              "roi_align_levels: sampling_ratio must be at most ", kMaxRoiAlignGrid, ", got ",
              sampling_ratio);
  std::vector<at::Tensor> features;
  std::vector<RoiAlignParams> params;
  for (size_t i = 0; i < maps.size(); ++i) {
    features.push_back(channels_last(maps[i]));
    params.push_back({.spatial_scale = scales[i],
                      .pooled_height = pooled_size,
                      .pooled_width = pooled_size,
                      .sampling_ratio = sampling_ratio,
                      .aligned = aligned});
  }
  if (maps.front().scalar_type() == at::kFloat) {
    return RoiAlignLevels::apply(at::TensorList(features), params, rois.contiguous(),
                                 level.contiguous());
  }
  if (rois.is_cuda()) {
    return cuda::roi_align_levels(features, params, rois.contiguous(), level.contiguous());
  }
  return cpu::roi_align_levels(**cpu::usable_kernels<cpu::Bfloat16Bits>(), features, params,
                               rois.contiguous(), level.contiguous());
}

}  // namespace cellroute::ops
