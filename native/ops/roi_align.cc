#include "ops/roi_align.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "ops/cpu/roi/roi_align.h"
#include "ops/cuda/roi_align.h"

namespace cellroute::ops {
namespace {

void check(const at::Tensor& input, const at::Tensor& rois, const RoiAlignParams& params) {
  TORCH_CHECK(input.dim() == 4, "roi_align: input must be [N, C, H, W], got ", input.sizes());
  TORCH_CHECK(rois.dim() == 2 && rois.size(1) == 5, "roi_align: rois must be [K, 5], got ",
              rois.sizes());
  TORCH_CHECK(input.scalar_type() == rois.scalar_type(), "roi_align: input is ",
              input.scalar_type(), " but rois are ", rois.scalar_type());
  TORCH_CHECK(input.scalar_type() == at::kFloat || input.scalar_type() == at::kDouble,
              "roi_align: input must be float32 or float64, got ", input.scalar_type());
  TORCH_CHECK(input.device() == rois.device() && (input.is_cpu() || input.is_cuda()),
              "roi_align: input and rois must be on the CPU or on one GPU, got ", input.device(),
              " and ", rois.device());
  TORCH_CHECK(params.pooled_height > 0 && params.pooled_width > 0,
              "roi_align: pooled size must be positive, got ", params.pooled_height, " x ",
              params.pooled_width);
  TORCH_CHECK(std::isfinite(params.spatial_scale) && params.spatial_scale > 0,
              "roi_align: spatial_scale must be positive and finite, got ", params.spatial_scale);
  TORCH_CHECK(params.sampling_ratio <= kMaxRoiAlignGrid,
              "roi_align: sampling_ratio must be at most ", kMaxRoiAlignGrid, ", got ",
              params.sampling_ratio);
}

/** A wrong image index would read outside the input. The boxes themselves may have any values. */
void check_not_empty(const at::Tensor& input, const at::Tensor& rois) {
  TORCH_CHECK(input.size(2) > 0 && input.size(3) > 0,
              "roi_align: the map is empty: ", input.sizes());
  // Not checked on a GPU, where it would wait for the device: its kernels check the index and
  // return zeros for such a box.
  if (rois.is_cuda()) return;
  const auto image = rois.select(1, 0);
  TORCH_CHECK(image.ge(0).logical_and(image.lt(input.size(0))).all().item<bool>(),
              "roi_align: the first column of rois must be an index into the ", input.size(0),
              " images of the batch");
}

class RoiAlignBackward : public torch::autograd::Function<RoiAlignBackward> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& grad,
                            const at::Tensor& rois, const std::vector<int64_t>& input_sizes,
                            const RoiAlignParams& params) {
    const auto backward = grad.is_cuda() ? cuda::roi_align_backward : cpu::roi_align_backward;
    return backward(grad.contiguous(), rois, input_sizes, params);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list&) {
    TORCH_CHECK(false, "roi_align: second derivatives are not supported");
  }
};

class RoiAlign : public torch::autograd::Function<RoiAlign> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& input,
                            const at::Tensor& rois, const RoiAlignParams& params) {
    ctx->save_for_backward({rois});
    ctx->saved_data["input_sizes"] = input.sizes().vec();
    ctx->saved_data["spatial_scale"] = params.spatial_scale;
    ctx->saved_data["pooled_height"] = params.pooled_height;
    ctx->saved_data["pooled_width"] = params.pooled_width;
    ctx->saved_data["sampling_ratio"] = params.sampling_ratio;
    ctx->saved_data["aligned"] = params.aligned;
    const auto forward = input.is_cuda() ? cuda::roi_align_forward : cpu::roi_align_forward;
    return forward(input, rois, params);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& grads) {
    auto& saved = ctx->saved_data;
    const RoiAlignParams params{
        .spatial_scale = saved["spatial_scale"].toDouble(),
        .pooled_height = saved["pooled_height"].toInt(),
        .pooled_width = saved["pooled_width"].toInt(),
        .sampling_ratio = saved["sampling_ratio"].toInt(),
        .aligned = saved["aligned"].toBool(),
    };
    const auto rois = ctx->get_saved_variables()[0];
    const auto grad =
        RoiAlignBackward::apply(grads[0], rois, saved["input_sizes"].toIntVector(), params);
    return {grad, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor roi_align(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                     int64_t pooled_height, int64_t pooled_width, int64_t sampling_ratio,
                     bool aligned) {
  const RoiAlignParams params{.spatial_scale = spatial_scale,
                              .pooled_height = pooled_height,
                              .pooled_width = pooled_width,
                              .sampling_ratio = sampling_ratio,
                              .aligned = aligned};
  check(input, rois, params);
  // Without boxes the kernels do nothing, and the gradient is zero.
  if (rois.size(0) > 0) check_not_empty(input, rois);
  return RoiAlign::apply(input.contiguous(), rois.contiguous(), params);
}

}  // namespace cellroute::ops
