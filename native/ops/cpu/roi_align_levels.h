#pragma once

#include <torch/torch.h>

#include <vector>

#include "ops/cpu/kernels.h"
#include "ops/roi_align_params.h"

namespace cellroute::ops::cpu {

/** maps are channels-last, params one a map with the same pooled size, all of them checked. T is
 *  float or Bfloat16Bits, as the maps are. */
template <typename T>
torch::Tensor roi_align_levels(const Kernels<T>& kernels, const std::vector<torch::Tensor>& maps,
                               const std::vector<RoiAlignParams>& params, const torch::Tensor& rois,
                               const torch::Tensor& level);

/** Gradients of the float32 maps, channels-last, from the output's, which is channels-last too. The
 *  order of the sums is fixed, whatever the threads. */
std::vector<torch::Tensor> roi_align_levels_backward(
    const torch::Tensor& grad, const std::vector<std::vector<int64_t>>& map_sizes,
    const std::vector<RoiAlignParams>& params, const torch::Tensor& rois,
    const torch::Tensor& level);

}  // namespace cellroute::ops::cpu
