#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops::cpu {

/** boxes [N, 4] by decreasing score, contiguous; groups [N] int64 in increasing order, or
 *  undefined for one group. Returns a bool [N]: true if no box kept before it in its group
 *  overlaps it by more than iou_threshold. */
at::Tensor nms(const at::Tensor& boxes, const at::Tensor& groups, double iou_threshold);

}  // namespace cellroute::ops::cpu
