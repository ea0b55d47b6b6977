#pragma once

#include <ATen/core/Tensor.h>

#include "ops/roi_align_params.h"

namespace cellroute::ops::cpu {

/** Arguments are checked, contiguous and not empty. */
at::Tensor roi_align_forward(const at::Tensor& input, const at::Tensor& rois,
                             const RoiAlignParams& params);

/** Gradient with respect to the input. The order of the sums does not depend on the threads. */
at::Tensor roi_align_backward(const at::Tensor& grad, const at::Tensor& rois,
                              at::IntArrayRef input_sizes, const RoiAlignParams& params);

}  // namespace cellroute::ops::cpu
