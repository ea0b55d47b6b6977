#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** Greedy non-maximum suppression, torchvision.ops.nms. boxes [N, 4] (x1, y1, x2, y2), scores [N].
 *  Returns the int64 indices kept, by falling score; equal scores keep their order. A box goes when
 *  its IoU with a kept one is above iou_threshold. */
torch::Tensor nms(const torch::Tensor& boxes, const torch::Tensor& scores, double iou_threshold);

/** nms within each group (class or level) of groups [N] int64, torchvision.ops.batched_nms. */
torch::Tensor batched_nms(const torch::Tensor& boxes, const torch::Tensor& scores,
                          const torch::Tensor& groups, double iou_threshold);

}  // namespace cellroute::ops
