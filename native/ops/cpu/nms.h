#pragma once

#include <torch/torch.h>

namespace cellroute::ops::cpu {

/** boxes [N, 4] by decreasing score, contiguous; groups [N] int64 in increasing order, or
 *  undefined for one group. Returns a bool [N]: true if no box kept before it in its group
 *  overlaps it by more than iou_threshold. */
torch::Tensor nms(const torch::Tensor& boxes, const torch::Tensor& groups, double iou_threshold);

}  // namespace cellroute::ops::cpu
