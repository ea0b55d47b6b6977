#pragma once

#include <torch/torch.h>

#include "ops/roi_align_params.h"

namespace cellroute::ops::cuda {

/** See cpu::roi_align_forward. A RoI whose image is not in the batch gives zeros. */
torch::Tensor roi_align_forward(const torch::Tensor& input, const torch::Tensor& rois,
                                const RoiAlignParams& params);

/** See cpu::roi_align_backward. The order of the sums is fixed only if LibTorch is set to
 *  deterministic algorithms. */
torch::Tensor roi_align_backward(const torch::Tensor& grad, const torch::Tensor& rois,
                                 at::IntArrayRef input_sizes, const RoiAlignParams& params);

}  // namespace cellroute::ops::cuda
