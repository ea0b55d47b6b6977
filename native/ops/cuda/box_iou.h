#pragma once

#include <torch/torch.h>

namespace cellroute::ops::cuda {

/** [N, 4] and [M, 4] of one floating type give [N, M]; arguments are checked and contiguous. */
torch::Tensor box_iou(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace cellroute::ops::cuda
