#pragma once

#include <torch/torch.h>

#include <vector>

#include "engine/job.h"
#include "model/backbone.h"
#include "model/config.h"
#include "model/roi_heads.h"
#include "model/rpn.h"
#include "model/transform.h"

namespace cellroute::model {

/** What one call may change of a model's thresholds; the configuration's values otherwise. */
struct DetectOptions {
  double score_threshold;
  double nms_threshold;
  int64_t detections_per_image;
  int64_t rpn_pre_nms_top_n;
  int64_t rpn_post_nms_top_n;
  double rpn_nms_threshold;
  double rpn_score_threshold;

  static DetectOptions of(const MaskRcnnConfig& config);
};

/** What was found in one picture, by falling score, in pixels of the picture as it came. */
struct Detections {
  torch::Tensor boxes;               // [N, 4] float32, x1 y1 x2 y2
  torch::Tensor scores;              // [N] float32
  torch::Tensor labels;              // [N] int64, 1..num_classes-1
  torch::Tensor mask_probabilities;  // [N, M, M] float32, of the label's class
  bool detections_capped = false;    // detections_per_image dropped some
  bool proposals_capped = false;     // rpn_post_nms_top_n dropped some
};

/** Mask R-CNN (He et al. 2017) over a ResNet with a feature pyramid, torchvision's MaskRCNN.
 *  Keys: backbone, rpn, roi_heads, all below them named as torchvision names them. */
class MaskRcnnImpl : public torch::nn::Module {
 public:
  explicit MaskRcnnImpl(const MaskRcnnConfig& config);

  const MaskRcnnConfig& config() const { return config_; }
  const GeneralizedRcnnTransform& transform() const { return transform_; }
  BackboneWithFpn& backbone() { return backbone_; }
  RegionProposalNetwork& rpn() { return rpn_; }
  RoiHeads& roi_heads() { return roi_heads_; }

  /** The levels RoIAlign reads: all but the extra one. */
  std::vector<torch::Tensor> roi_levels(const std::vector<torch::Tensor>& levels) const;

  /** Finds the objects of each picture, [3, H, W] float with intensities scaled as in training and
   *  not yet normalised; any sizes, from 1x1. Needs eval(); runs without gradients. Pictures of one
   *  call are padded to one size, which moves numbers near the borders a little, as it does in
   *  torchvision. Stages: transform, backbone, proposals, boxes, masks, from 0 to 0.9: pasting the
   *  masks is the caller's. */
  std::vector<Detections> detect(const std::vector<torch::Tensor>& pictures,
                                 const DetectOptions& options, const Poll& poll = {});

 private:
  MaskRcnnConfig config_;
  GeneralizedRcnnTransform transform_;
  BackboneWithFpn backbone_;
  RegionProposalNetwork rpn_;
  RoiHeads roi_heads_;
};
TORCH_MODULE(MaskRcnn);

}  // namespace cellroute::model
