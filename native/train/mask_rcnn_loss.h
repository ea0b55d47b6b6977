#pragma once

#include <torch/types.h>

#include <vector>

#include "engine/job.h"
#include "model/mask_rcnn.h"
#include "train/ground_truth.h"
#include "train/recorded_trunk.h"

namespace cellroute::train {

/** How anchors and proposals become training examples: the arguments of torchvision's MaskRCNN
 *  that only training reads. The defaults are in lib/trainer. */
struct SamplingOptions {
  double rpn_fg_iou;  // an anchor with at least this IoU is foreground
  double rpn_bg_iou;  // an anchor below this IoU is background; anchors in between are ignored
  int64_t rpn_batch_size;
  double rpn_positive_fraction;
  int64_t rpn_pre_nms_top_n;
  int64_t rpn_post_nms_top_n;
  double box_fg_iou;
  double box_bg_iou;
  int64_t box_batch_size;
  double box_positive_fraction;
  bool skip_resize;  // images are not resized: torchvision's _skip_resize
};

/** Scalars with torchvision's names without `loss_`, each a mean with torchvision's weights. A
 *  loss without examples is 0 and has zero gradients. */
struct MaskRcnnLosses {
  torch::Tensor classifier;
  torch::Tensor box_reg;
  torch::Tensor mask;
  torch::Tensor objectness;
  torch::Tensor rpn_box_reg;

  torch::Tensor total() const;
};

/** The five losses of a batch, as torchvision's MaskRCNN returns them in training mode. images
 *  are [3, Hi, Wi], floating point and not normalised; there is one ground truth per image, with
 *  any number of cells including none. All random numbers come from `generator`. The RPN's NMS
 *  threshold and minimum size are the configuration's. Reports the stages transform, backbone,
 *  proposals, boxes and masks, from 0 to 0.5; the caller runs the backward pass. `trunk` is
 *  reused between steps of a network. Throws INVALID_ARGUMENT if a ground truth does not fit its
 *  image. */
MaskRcnnLosses mask_rcnn_losses(model::MaskRcnn& network, const std::vector<torch::Tensor>& images,
                                const std::vector<GroundTruth>& ground_truths,
                                const SamplingOptions& options, const at::Generator& generator,
                                const JobContext& poll = {}, RecordedTrunk* trunk = nullptr);

}  // namespace cellroute::train
