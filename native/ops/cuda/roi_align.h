#pragma once

#include <torch/torch.h>

#include "ops/roi_align_params.h"

namespace cellroute::ops::cuda {

/** As cpu::roi_align_forward; a RoI of no image of the batch gives zeros. */
torch::Tensor roi_align_forward(const torch::Tensor& input, const torch::Tensor& rois,
                                const RoiAlignParams& params);

/** As cpu::roi_align_backward, but that the order of the sums is fixed only where LibTorch is asked
 *  for deterministic algorithms. */
torch::Tensor roi_align_backward(const torch::Tensor& grad, const torch::Tensor& rois,
                                 at::IntArrayRef input_sizes, const RoiAlignParams& params);

}  // namespace cellroute::ops::cuda
