#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "mask/rle.h"

namespace cellroute::ops {

/** The targets of the mask head: torchvision's project_masks_on_boxes after its resize of the
 *  masks, without an image-sized map. boxes [K, 4] float32 (x1, y1, x2, y2) are in pixels of an
 *  image resized to height x width; box k uses masks[matched[k]], matched [K] int64, which has
 *  the original image's size. Masks are resized by nearest neighbour like torch's interpolate
 *  and pooled by RoIAlign to `size` x `size` bins with one sample per pixel. Returns [K, size,
 *  size] float32 in 0..1. */
at::Tensor mask_targets(std::span<const mask::Rle> masks, const at::Tensor& boxes,
                        const at::Tensor& matched, int64_t height, int64_t width, int64_t size);

}  // namespace cellroute::ops
