#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** torch::linear of rows [N, in] with a weight [out, in] and a bias [out], with gradients. On the
 *  CPU in float32, its products and those of the backward pass are computed in blocks, between
 *  which cancellation is checked: a whole one takes hundreds of milliseconds. */
at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace cellroute::ops
