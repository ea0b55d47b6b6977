#pragma once

#include <vector>

#include "engine/job.h"
#include "model/backbone.h"
#include "model/config.h"
#include "model/detect.h"
#include "model/roi_heads.h"
#include "model/rpn.h"
#include "model/transform.h"
#include "nn.h"

namespace cellroute::model {

/** Mask R-CNN (He et al. 2017) over a ResNet with a feature pyramid: torchvision's MaskRCNN.
 *  Keys: backbone, rpn, roi_heads; all keys below them are torchvision's. */
class MaskRcnnImpl : public torch::nn::Module {
 public:
  explicit MaskRcnnImpl(const MaskRcnnConfig& config);

  const MaskRcnnConfig& config() const { return config_; }
  const GeneralizedRcnnTransform& transform() const { return transform_; }
  BackboneWithFpn& backbone() { return backbone_; }
  RegionProposalNetwork& rpn() { return rpn_; }
  RoiHeads& roi_heads() { return roi_heads_; }

  /** The levels that RoIAlign reads: all except the extra one. */
  std::vector<torch::Tensor> roi_levels(const std::vector<torch::Tensor>& levels) const;

  /** The parts without weights, for detect() with compiled layers. */
  DetectionContext detection_context() const {
    return {config_, transform_, *rpn_, roi_heads_->box_coder()};
  }

  /** model::detect() with the modules themselves. Needs eval(). */
  std::vector<Detections> detect(const std::vector<torch::Tensor>& images,
                                 const DetectOptions& options, const JobContext& poll = {});

 private:
  MaskRcnnConfig config_;
  GeneralizedRcnnTransform transform_;
  BackboneWithFpn backbone_;
  RegionProposalNetwork rpn_;
  RoiHeads roi_heads_;
};
TORCH_MODULE(MaskRcnn);

}  // namespace cellroute::model
