#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** Greedy non-maximum suppression, torchvision.ops.nms. boxes [N, 4] (x1, y1, x2, y2), scores
 *  [N]. Returns the int64 indices kept, by decreasing score; equal scores keep their order. A
 *  box is suppressed if its IoU with a kept box is above iou_threshold. */
at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold);

/** nms() within each group (class or level) of groups [N] int64, torchvision.ops.batched_nms. */
at::Tensor batched_nms(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& groups,
                       double iou_threshold);

/** The boxes of each image that nms_padded() keeps. */
struct PaddedKept {
  at::Tensor index;   // [N, limit] int64 row indices, by decreasing score; 0 after the count
  at::Tensor count;   // [N] int64, at most the limit
  at::Tensor capped;  // [N] bool: whether the limit dropped some
};

/** Selects rows of each image: values [N, K] or [N, K, C] by index [N, L]. */
at::Tensor padded_rows(const at::Tensor& values, const at::Tensor& index);

/** batched_nms() of N images at once, limited to the best `limit` boxes of each. boxes [N, K,
 *  4], scores [N, K], groups [N, K] int64, not negative; rows that are not `valid` [N, K] are
 *  ignored. No shape depends on a value, so on a GPU the host never waits and the whole can be
 *  recorded as a graph. */
PaddedKept nms_padded(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& groups,
                      const at::Tensor& valid, double iou_threshold, int64_t limit);

}  // namespace cellroute::ops
