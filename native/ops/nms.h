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

/** What nms_padded keeps of each image. */
struct PaddedKept {
  torch::Tensor index;   // [N, limit] int64 into the rows, by falling score; 0 past the count
  torch::Tensor count;   // [N] int64, at most the limit
  torch::Tensor capped;  // [N] bool: the limit dropped some
};

/** Rows of each image: values [N, K] or [N, K, C] by index [N, L]. */
torch::Tensor padded_rows(const torch::Tensor& values, const torch::Tensor& index);

/** batched_nms of N images at once, and of each the best `limit`. boxes [N, K, 4], scores [N, K],
 *  groups [N, K] int64 from 0 on; rows that are not `valid` [N, K] do not take part. All shapes are
 *  known beforehand: on a GPU the host waits for nothing, and the whole can be recorded. */
PaddedKept nms_padded(const torch::Tensor& boxes, const torch::Tensor& scores,
                      const torch::Tensor& groups, const torch::Tensor& valid, double iou_threshold,
                      int64_t limit);

}  // namespace cellroute::ops
