#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/roi_align_params.h"

namespace cellroute::ops::cuda {

/** See cpu::roi_align_levels; for maps of float32, float16 or bfloat16 and at most 8 levels. */
at::Tensor roi_align_levels(const std::vector<at::Tensor>& maps,
                            const std::vector<RoiAlignParams>& params, const at::Tensor& rois,
                            const at::Tensor& level);

/** See cpu::roi_align_levels_backward. The order of the sums is fixed only if LibTorch is set to
 *  deterministic algorithms. */
std::vector<at::Tensor> roi_align_levels_backward(
    const at::Tensor& grad, const std::vector<std::vector<int64_t>>& map_sizes,
    const std::vector<RoiAlignParams>& params, const at::Tensor& rois, const at::Tensor& level);

}  // namespace cellroute::ops::cuda
