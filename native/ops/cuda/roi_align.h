#pragma once

#include <ATen/core/Tensor.h>

#include "ops/roi_align_params.h"

namespace cellroute::ops::cuda {

/** See cpu::roi_align_forward. A RoI whose image is not in the batch gives zeros. */
at::Tensor roi_align_forward(const at::Tensor& input, const at::Tensor& rois,
                             const RoiAlignParams& params);

/** See cpu::roi_align_backward. The order of the sums is fixed only if LibTorch is set to
 *  deterministic algorithms. */
at::Tensor roi_align_backward(const at::Tensor& grad, const at::Tensor& rois,
                              at::IntArrayRef input_sizes, const RoiAlignParams& params);

}  // namespace cellroute::ops::cuda
