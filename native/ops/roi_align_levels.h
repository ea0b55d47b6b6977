#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace cellroute::ops {

/** roi_align() of each RoI on one of several maps, in one pass and channels-last.
 *
 *  maps [N, C, Hi, Wi], all float32 or all bfloat16, preferably channels-last, each with its
 *  scale; rois [K, 5] float32 as in roi_align(); level [K] int64 is an index into the maps, and
 *  a RoI with an invalid level gives zeros. Returns [K, C, pooled_size, pooled_size], channels-
 *  last, of the maps' type, summed in float32. Differentiable once in float32 maps. */
at::Tensor roi_align_levels(const std::vector<at::Tensor>& maps, const std::vector<double>& scales,
                            const at::Tensor& rois, const at::Tensor& level, int64_t pooled_size,
                            int64_t sampling_ratio, bool aligned);

}  // namespace cellroute::ops
