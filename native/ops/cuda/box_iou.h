#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops::cuda {

/** IoU of a [N, 4] and b [M, 4] of one floating type: [N, M]. Arguments are checked and
 *  contiguous. */
at::Tensor box_iou(const at::Tensor& a, const at::Tensor& b);

}  // namespace cellroute::ops::cuda
