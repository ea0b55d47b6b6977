#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** RoIAlign (He et al. 2017, section 3): torchvision.ops.roi_align in every case it defines.
 *
 *  input [N, C, H, W] floating point; rois [K, 5] of the same type: (index in the batch, x1, y1,
 *  x2, y2) in pixels of the image; multiplied by spatial_scale they are in pixels of the map.
 *  Returns [K, C, pooled_height, pooled_width]. sampling_ratio <= 0 takes ceil(roi size / pooled
 *  size) samples per bin and axis. `aligned` shifts by half a pixel; without it a box is at
 *  least 1x1. Boxes of negative size give zeros. Differentiable in input. */
at::Tensor roi_align(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                     int64_t pooled_height, int64_t pooled_width, int64_t sampling_ratio,
                     bool aligned);

}  // namespace cellroute::ops
