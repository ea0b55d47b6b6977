#pragma once

#include <torch/types.h>

#include <vector>

#include "model/transform.h"

namespace cellroute::model {

/** Concatenates the boxes [Ki, 4] of each image of a batch to RoIs [sum Ki, 5]: (image index,
 *  x1, y1, x2, y2). */
torch::Tensor to_rois(const std::vector<torch::Tensor>& boxes);

/** RoIAlign of each RoI on the pyramid level its size asks for (equation 1 of Lin et al. 2017):
 *  torchvision.ops.MultiScaleRoIAlign with its canonical size 224 on level 4.
 *
 *  levels [N, C, Hi, Wi], finest first, of the images of a batch (before padding, as torchvision
 *  wants them); a level's scale is the power of two nearest to its height over the tallest
 *  image's. Levels of float32 or bfloat16, best channels-last; differentiable in float32. Returns
 *  [K, C, output_size, output_size], channels-last. */
torch::Tensor multi_scale_roi_align_channels_last(const std::vector<torch::Tensor>& levels,
                                                  const torch::Tensor& rois,
                                                  const std::vector<ImageSize>& images,
                                                  int64_t output_size, int64_t sampling_ratio);

}  // namespace cellroute::model
