#pragma once

#include <torch/torch.h>

#include <vector>

#include "model/rpn.h"
#include "train/mask_rcnn_loss.h"

namespace cellroute::train {

struct RpnLosses {
  torch::Tensor objectness;  // binary cross-entropy, mean over the sampled anchors
  torch::Tensor box_reg;  // smooth L1 of the positive ones' offsets, over the count of all sampled
};

/** boxes: of each picture's cells, [Ni, 4] in pixels of the resized picture. */
RpnLosses rpn_losses(const model::RegionProposalNetworkImpl& rpn,
                     const model::RpnPredictions& predictions, const model::ImageBatch& images,
                     const std::vector<torch::Tensor>& boxes, const SamplingOptions& options,
                     const at::Generator& generator);

}  // namespace cellroute::train
