#pragma once

#include <torch/types.h>

#include <vector>

#include "mask/rle.h"

namespace cellroute::train {

/** The ground-truth cells of one image. Boxes are computed from the masks and are half-open. */
struct GroundTruth {
  torch::Tensor boxes;           // [N, 4] float32, x1 y1 x2 y2 in pixels of the original image
  torch::Tensor labels;          // [N] int64, 1..num_classes-1
  std::vector<mask::Rle> masks;  // N, of the image's size
};

/** Cells from masks, each with its box. Throws INVALID_ARGUMENT for an empty mask. */
GroundTruth make_ground_truth(std::vector<mask::Rle> masks, const torch::Tensor& labels);

}  // namespace cellroute::train
