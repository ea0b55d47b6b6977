#pragma once

#include <torch/torch.h>

#include "ops/roi_align_params.h"

namespace cellroute::ops::cpu {

/** Arguments are checked, contiguous and not empty. */
torch::Tensor roi_align_forward(const torch::Tensor& input, const torch::Tensor& rois,
                                const RoiAlignParams& params);

/** Gradient with respect to the input. The order of the sums does not depend on the threads. */
torch::Tensor roi_align_backward(const torch::Tensor& grad, const torch::Tensor& rois,
                                 at::IntArrayRef input_sizes, const RoiAlignParams& params);

}  // namespace cellroute::ops::cpu
