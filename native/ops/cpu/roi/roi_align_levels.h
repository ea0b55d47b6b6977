#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/cpu/kernels.h"
#include "ops/roi_align_params.h"

namespace cellroute::ops::cpu {

/** maps are channels-last, with one params entry per map and the same pooled size; all are
 *  checked. T is the maps' type, float or Bfloat16Bits. */
template <typename T>
at::Tensor roi_align_levels(const Kernels<T>& kernels, const std::vector<at::Tensor>& maps,
                            const std::vector<RoiAlignParams>& params, const at::Tensor& rois,
                            const at::Tensor& level);

/** Gradients of the float32 maps, channels-last, from the output's gradient, also channels-last.
 *  The order of the sums does not depend on the threads. */
std::vector<at::Tensor> roi_align_levels_backward(
    const at::Tensor& grad, const std::vector<std::vector<int64_t>>& map_sizes,
    const std::vector<RoiAlignParams>& params, const at::Tensor& rois, const at::Tensor& level);

}  // namespace cellroute::ops::cpu
