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

/** anchors: of each level, [Ai, 4]. boxes: of each image's cells, [Ni, 4] in pixels of the
 * resized image. On a GPU as rpn_losses_padded. */
RpnLosses rpn_losses(const model::BoxCoder& coder, const model::RpnPredictions& predictions,
                     const std::vector<torch::Tensor>& anchors,
                     const std::vector<torch::Tensor>& boxes, const SamplingOptions& options,
                     const at::Generator& generator);

/** The same, of anchors that the device's own generator draws (sample_balanced_padded): all shapes
 *  are known beforehand, so that on a GPU the host waits for nothing. */
RpnLosses rpn_losses_padded(const model::BoxCoder& coder, const model::RpnPredictions& predictions,
                            const std::vector<torch::Tensor>& anchors,
                            const std::vector<torch::Tensor>& boxes,
                            const SamplingOptions& options);

}  // namespace cellroute::train
