#pragma once

#include <torch/types.h>

#include <vector>

#include "model/config.h"
#include "model/transform.h"

namespace cellroute::model {

/** Anchors of every size and aspect ratio around every pixel of every feature map:
 *  torchvision's AnchorGenerator. */
class AnchorGenerator {
 public:
  explicit AnchorGenerator(const AnchorConfig& config);

  size_t levels() const { return cell_anchors_.size(); }

  /** The same on every level, because one RPN head serves all levels. */
  int64_t anchors_per_location() const { return cell_anchors_.front().size(0); }

  /** Anchors of one level, [H * W * anchors_per_location, 4] as (x1, y1, x2, y2), for a map of
   *  size `grid` over a padded batch of size `image`. Rows are ordered by y, then x, then
   *  anchor: the order of an RPN output laid out as [H, W, A]. */
  torch::Tensor operator()(size_t level, ImageSize grid, ImageSize image,
                           torch::Device device = torch::kCPU) const;

 private:
  std::vector<torch::Tensor> cell_anchors_;  // [A, 4] per level, around (0, 0)
};

}  // namespace cellroute::model
