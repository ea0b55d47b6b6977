#pragma once

#include <torch/torch.h>

#include <vector>

#include "ops/cpu/kernels.h"
#include "ops/roi_align_params.h"

namespace cellroute::ops::cpu {

/** maps are channels-last, with one params entry per map and the same pooled size; all are
 *  checked. T is the maps' type, float or Bfloat16Bits. */
template <typename T>
torch::Tensor roi_align_levels(const Kernels<T>& kernels, const std::vector<torch::Tensor>& maps,
                               const std::vector<RoiAlignParams>& params, const torch::Tensor& rois,
                               const torch::Tensor& level);

/** Gradients of the float32 maps, channels-last, from the output's gradient, also channels-last.
 *  The order of the sums does not depend on the threads. */
std::vector<torch::Tensor> roi_align_levels_backward(
    const torch::Tensor& grad, const std::vector<std::vector<int64_t>>& map_sizes,
    const std::vector<RoiAlignParams>& params, const torch::Tensor& rois,
    const torch::Tensor& level);

}  // namespace cellroute::ops::cpu
