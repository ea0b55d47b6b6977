#pragma once

#include <torch/types.h>

namespace cellroute::train {

/** Sum of the smooth L1 loss (Girshick 2015) of box offsets: quadratic below 1 / 9, as in
 *  torchvision. */
inline torch::Tensor smooth_l1(const torch::Tensor& offsets, const torch::Tensor& ground_truth) {
  return torch::smooth_l1_loss(offsets, ground_truth, at::Reduction::Sum, 1.0 / 9);
}

}  // namespace cellroute::train
