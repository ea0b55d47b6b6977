#pragma once

#include <torch/types.h>

#include <vector>

#include "model/rpn.h"
#include "train/mask_rcnn_loss.h"

namespace cellroute::train {

struct RpnLosses {
  torch::Tensor objectness;  // binary cross-entropy, mean over the sampled anchors
  torch::Tensor box_reg;  // smooth L1 of positive anchors, divided by the number of sampled anchors
};

/** anchors: per level, [Ai, 4]. boxes: per image, [Ni, 4] in pixels of the resized image. On a
 *  GPU this calls rpn_losses_padded(). */
RpnLosses rpn_losses(const model::BoxCoder& coder, const model::RpnPredictions& predictions,
                     const std::vector<torch::Tensor>& anchors,
                     const std::vector<torch::Tensor>& boxes, const SamplingOptions& options,
                     const at::Generator& generator);

/** The same with anchors drawn by the device's own generator (sample_balanced_padded). No shape
 *  depends on a value, so on a GPU the host never waits. */
RpnLosses rpn_losses_padded(const model::BoxCoder& coder, const model::RpnPredictions& predictions,
                            const std::vector<torch::Tensor>& anchors,
                            const std::vector<torch::Tensor>& boxes,
                            const SamplingOptions& options);

}  // namespace cellroute::train
