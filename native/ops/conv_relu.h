#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** relu(conv2d(x, weight, bias) + residual) on a GPU, with its gradients: one kernel of cuDNN
 * instead of as many as four passes over the maps. x [N, C, H, W], weight [O, C, k, k], bias [O],
 * residual as the result, or undefined for none. */
torch::Tensor conv_relu(const torch::Tensor& x, const torch::Tensor& weight,
                        const torch::Tensor& bias, const torch::Tensor& residual,
                        at::IntArrayRef stride, at::IntArrayRef padding);

}  // namespace cellroute::ops
