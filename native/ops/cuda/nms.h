#pragma once

#include <torch/torch.h>

namespace cellroute::ops::cuda {

/** cpu::nms of several images at once: boxes [N, K, 4] and groups [N, K] give a bool [N, K].
 *  Nothing goes to the host and back: the answer stays on the device. */
torch::Tensor nms(const torch::Tensor& boxes, const torch::Tensor& groups, double iou_threshold);

}  // namespace cellroute::ops::cuda
