#pragma once

#include <torch/torch.h>

namespace cellroute::ops::cpu {

/** boxes [N, 4] in the order they are to be kept, contiguous; groups [N] int64 rising, or undefined
 *  for one group. Returns a bool [N]: no box kept before it in its group overlaps it by more than
 *  iou_threshold. */
torch::Tensor nms(const torch::Tensor& boxes, const torch::Tensor& groups, double iou_threshold);

}  // namespace cellroute::ops::cpu
