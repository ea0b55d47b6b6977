#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops::cuda {

/** cpu::nms for several images at once: boxes [N, K, 4] and groups [N, K] give a bool [N, K].
 *  The result stays on the device and nothing is copied to the host. */
at::Tensor nms(const at::Tensor& boxes, const at::Tensor& groups, double iou_threshold);

}  // namespace cellroute::ops::cuda
