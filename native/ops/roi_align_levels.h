#pragma once

#include <torch/torch.h>

#include <vector>

namespace cellroute::ops {

/** roi_align of each RoI on its own one of several maps, in one pass and channels-last.
 *
 *  maps [N, C, Hi, Wi], all float32 or all bfloat16, best channels-last, each with its scale; rois
 *  [K, 5] float32 as in roi_align; level [K] int64, an index into the maps: a RoI with another one
 *  gives zeros. Returns [K, C, pooled_size, pooled_size], channels-last, of the maps' type, summed
 *  in float32. Differentiable once in maps of float32. */
torch::Tensor roi_align_levels(const std::vector<torch::Tensor>& maps,
                               const std::vector<double>& scales, const torch::Tensor& rois,
                               const torch::Tensor& level, int64_t pooled_size,
                               int64_t sampling_ratio, bool aligned);

}  // namespace cellroute::ops
