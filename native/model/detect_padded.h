#pragma once

#include <torch/types.h>

#include <vector>

#include "model/detect.h"

namespace cellroute::model {

/** Boxes found in N images of one size, padded to the same number. */
struct PaddedDetections {
  torch::Tensor boxes;   // [N, D, 4] in pixels of the resized image, by decreasing score
  torch::Tensor scores;  // [N, D]
  torch::Tensor labels;  // [N, D] int64
  /** [N, 3] int64: the number of valid detections of the D; whether detections_per_image dropped
   *  some; whether rpn_post_nms_top_n dropped some. */
  torch::Tensor counts;
};

/** The same proposals and detections as detect() finds image by image, for all images at once.
 *  No shape depends on a value, so on a GPU the host never waits and the whole can be recorded
 *  as a graph. `levels` are the pyramid's, including the extra one; `anchors` belong to
 *  `predictions`, the output of the RPN head; `image` is the size of each image within the
 *  batch. */
PaddedDetections detect_padded(const DetectionContext& context, MaskRcnnLayers& parts,
                               const std::vector<torch::Tensor>& levels,
                               const RpnPredictions& predictions,
                               const std::vector<torch::Tensor>& anchors, ImageSize image,
                               const DetectOptions& options);

}  // namespace cellroute::model
