#pragma once

#include <torch/torch.h>

namespace cellroute::ops::cuda {

/** IoU of a [N, 4] and b [M, 4] of one floating type: [N, M]. Arguments are checked and
 *  contiguous. */
torch::Tensor box_iou(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace cellroute::ops::cuda
