#pragma once

#include <torch/types.h>

#include <vector>

#include "model/mask_rcnn.h"

namespace cellroute::train {

/** The part of a step whose shapes depend only on the batch's shape: pyramid and RPN predictions.
 */
struct TrunkOutputs {
  std::vector<torch::Tensor> levels;  // of the pyramid, its extra level included
  model::RpnPredictions predictions;
};

/** Runs backbone, pyramid and RPN head over a batch [N, 3, H, W]. */
TrunkOutputs run_trunk(model::MaskRcnn& network, const torch::Tensor& batch,
                       const model::Progress& progress = {});

}  // namespace cellroute::train
