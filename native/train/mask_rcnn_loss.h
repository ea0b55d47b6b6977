#pragma once

#include <torch/torch.h>

#include <vector>

#include "engine/job.h"
#include "model/mask_rcnn.h"
#include "train/recorded_trunk.h"
#include "train/truth.h"

namespace cellroute::train {

/** How anchors and proposals become training examples: the arguments of torchvision's MaskRCNN that
 *  evaluation does not read. The defaults are in lib/trainer. */
struct SamplingOptions {
  double rpn_fg_iou;  // from this IoU on an anchor is a cell
  double rpn_bg_iou;  // below this one it is background; between the two it is not asked
  int64_t rpn_batch_size;
  double rpn_positive_fraction;
  int64_t rpn_pre_nms_top_n;
  int64_t rpn_post_nms_top_n;
  double box_fg_iou;
  double box_bg_iou;
  int64_t box_batch_size;
  double box_positive_fraction;
  bool skip_resize;  // images go in as large as they come: torchvision's _skip_resize
};

/** By torchvision's names without `loss_`: scalars, each a mean that includes torchvision's
 *  weights. One that has no examples is 0, and so are its gradients. */
struct MaskRcnnLosses {
  torch::Tensor classifier;
  torch::Tensor box_reg;
  torch::Tensor mask;
  torch::Tensor objectness;
  torch::Tensor rpn_box_reg;

  torch::Tensor total() const;
};

/** The five losses of a batch, as torchvision's MaskRCNN gives them in training mode. images are
 *  [3, Hi, Wi], floating and not normalised; one truth an image, with any number of cells, none
 *  included. Everything random comes from `generator`. The proposals' NMS and least size are the
 *  configuration's. Stages: transform, backbone, proposals, boxes, masks, from 0 to 0.5: the way
 *  back is the caller's. `trunk` is what the network's steps keep for one another. Throws
 *  INVALID_ARGUMENT where a truth does not fit its image. */
MaskRcnnLosses mask_rcnn_losses(model::MaskRcnn& network, const std::vector<torch::Tensor>& images,
                                const std::vector<Truth>& truths, const SamplingOptions& options,
                                const at::Generator& generator, const JobContext& poll = {},
                                RecordedTrunk* trunk = nullptr);

}  // namespace cellroute::train
