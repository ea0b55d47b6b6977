#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** IoU of every pair of boxes a [N, 4] and b [M, 4] (x1, y1, x2, y2): [N, M].
 *  torchvision.ops.box_iou. */
at::Tensor box_iou(const at::Tensor& a, const at::Tensor& b);

/** Clipped to 0..width and 0..height. torchvision.ops.clip_boxes_to_image. */
at::Tensor clip_boxes_to_image(const at::Tensor& boxes, int64_t height, int64_t width);

/** Whether both sides are >= min_size: bool [N]. */
at::Tensor has_min_size(const at::Tensor& boxes, double min_size);

/** Indices of boxes with both sides >= min_size. torchvision.ops.remove_small_boxes. */
at::Tensor remove_small_boxes(const at::Tensor& boxes, double min_size);

}  // namespace cellroute::ops
