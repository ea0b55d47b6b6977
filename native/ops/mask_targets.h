#pragma once

#include <torch/torch.h>

#include <span>

#include "mask/rle.h"

namespace cellroute::ops {

/** What the mask head is to answer inside each box: torchvision's project_masks_on_boxes after its
 *  resize of the masks, without any image-sized map. boxes [K, 4] float32 (x1, y1, x2, y2) in
 *  pixels of an image resized to height x width; box k looks at masks[matched[k]], matched [K]
 *  int64, whose own size is that of the image before. Masks are resized to the nearest pixel as
 *  torch's interpolate does, and pooled by RoIAlign to `size` x `size` bins with as many samples as
 *  pixels. Returns [K, size, size] float32 in 0..1. */
torch::Tensor mask_targets(std::span<const mask::Rle> masks, const torch::Tensor& boxes,
                           const torch::Tensor& matched, int64_t height, int64_t width,
                           int64_t size);

}  // namespace cellroute::ops
