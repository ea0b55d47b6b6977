#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** relu(conv2d(x, weight, bias) + residual) without gradients: one cuDNN kernel on a GPU instead
 *  of up to four passes over the maps, separate operations elsewhere. x [N, C, H, W], weight [O,
 *  C, k, k], bias [O]; residual has the result's shape or is undefined. Stride and padding are
 *  in pixels and equal on both axes. */
at::Tensor conv_relu_values(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& residual, int64_t stride, int64_t padding);

/** The same with gradients for x, weight, bias and residual. cuDNN's kernel has no gradient of
 *  its own. */
at::Tensor conv_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const at::Tensor& residual, int64_t stride, int64_t padding);

}  // namespace cellroute::ops
