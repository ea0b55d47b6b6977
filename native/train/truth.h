#pragma once

#include <torch/torch.h>

#include <vector>

#include "mask/rle.h"

namespace cellroute::train {

/** The cells of one image as they are trained on: boxes are the masks', half-open. */
struct Truth {
  torch::Tensor boxes;           // [N, 4] float32, x1 y1 x2 y2 in pixels of the image as it came
  torch::Tensor labels;          // [N] int64, 1..num_classes-1
  std::vector<mask::Rle> masks;  // N, of the image's size
};

/** Cells by their masks, each with its box. Throws INVALID_ARGUMENT where a mask has no pixels. */
Truth make_truth(std::vector<mask::Rle> masks, const torch::Tensor& labels);

}  // namespace cellroute::train
