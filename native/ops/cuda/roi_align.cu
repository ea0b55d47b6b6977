#include "ops/cuda/roi_align.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "ops/cuda/roi_align_kernels.cuh"

namespace cellroute::ops::cuda {

at::Tensor roi_align_forward(const at::Tensor& input, const at::Tensor& rois,
                             const RoiAlignParams& params) {
  const c10::cuda::CUDAGuard guard(input.device());
  auto output = at::empty({rois.size(0), input.size(1), params.pooled_height, params.pooled_width},
                          input.options());
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "roi_align", [&] {
    const Levels<const scalar_t> levels{
        .maps = {maps_of(input, input.const_data_ptr<scalar_t>())}, .params = {params}, .count = 1};
    launch_pool<scalar_t, scalar_t>(levels, rois.const_data_ptr<scalar_t>(), nullptr, output,
                                    /*channels_last=*/false);
  });
  return output;
}

at::Tensor roi_align_backward(const at::Tensor& grad, const at::Tensor& rois,
                              at::IntArrayRef input_sizes, const RoiAlignParams& params) {
  const c10::cuda::CUDAGuard guard(grad.device());
  auto input_grad = at::zeros(input_sizes, grad.options());
  AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "roi_align_backward", [&] {
    const Levels<scalar_t> levels{
        .maps = {maps_of(input_grad, input_grad.mutable_data_ptr<scalar_t>())},
        .params = {params},
        .count = 1};
    launch_backward<scalar_t>(levels, rois.const_data_ptr<scalar_t>(), nullptr, grad,
                              /*channels_last=*/false);
  });
  return input_grad;
}

}  // namespace cellroute::ops::cuda
