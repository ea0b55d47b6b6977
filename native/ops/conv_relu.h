#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** relu(conv2d(x, weight, bias) + residual) without gradients: on a GPU one kernel of cuDNN instead
 *  of as many as four passes over the maps, elsewhere step by step. x [N, C, H, W], weight
 *  [O, C, k, k], bias [O], residual of the result's shape, or undefined for none; stride and
 *  padding in pixels, the same along both axes. */
torch::Tensor conv_relu_values(const torch::Tensor& x, const torch::Tensor& weight,
                               const torch::Tensor& bias, const torch::Tensor& residual,
                               int64_t stride, int64_t padding);

/** The same with gradients of x, weight, bias and residual. cuDNN's kernel has none of its own. */
torch::Tensor conv_relu(const torch::Tensor& x, const torch::Tensor& weight,
                        const torch::Tensor& bias, const torch::Tensor& residual, int64_t stride,
                        int64_t padding);

}  // namespace cellroute::ops
