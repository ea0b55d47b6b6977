#pragma once

#include <torch/torch.h>

#include <vector>

#include "model/detect.h"

namespace cellroute::model {

/** Boxes found in N images of one size, padded to one length. */
struct PaddedDetections {
  torch::Tensor boxes;   // [N, D, 4] in pixels of the resized image, by falling score
  torch::Tensor scores;  // [N, D]
  torch::Tensor labels;  // [N, D] int64
  /** [N, 3] int64: how many of D there are; whether detections_per_image, and whether
   *  rpn_post_nms_top_n, dropped some. */
  torch::Tensor counts;
};

/** Proposals and detections of all images at once, as detect finds them image by image. No
 *  shape depends on a value: on a GPU the host waits for nothing, and the whole can be recorded.
 *  `levels` are the pyramid's, with the extra one; `anchors` as RegionProposalNetwork gives them
 *  for `predictions`, those of its head; `image` is the size of each within the batch. */
PaddedDetections detect_padded(const DetectionContext& context, MaskRcnnLayers& parts,
                               const std::vector<torch::Tensor>& levels,
                               const RpnPredictions& predictions,
                               const std::vector<torch::Tensor>& anchors, ImageSize image,
                               const DetectOptions& options);

}  // namespace cellroute::model
