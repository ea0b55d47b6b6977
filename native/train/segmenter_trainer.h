#pragma once

#include <torch/types.h>

#include <vector>

#include "model/mask_rcnn.h"
#include "train/ground_truth.h"
#include "train/mask_rcnn_loss.h"
#include "train/recorded_trunk.h"
#include "train/trainer.h"

namespace cellroute::train {

/** Trains a Mask R-CNN. */
class SegmenterTrainer final : public Trainer {
 public:
  /** Creates a network with new weights. Norms of kind frozen-batch are then identities. */
  SegmenterTrainer(const model::MaskRcnnConfig& config, const TrainerOptions& options,
                   const SamplingOptions& sampling);

  const model::MaskRcnnConfig& config() const { return network_->config(); }

  /** images [3, Hi, Wi] float32, not normalised, and their cells. Throws INVALID_ARGUMENT if
   *  they do not fit. */
  StepResult step(const std::vector<torch::Tensor>& images,
                  const std::vector<GroundTruth>& ground_truths, const StepOptions& options,
                  const JobContext& poll = {});

 private:
  SegmenterTrainer(const model::MaskRcnn& network, const TrainerOptions& options,
                   const SamplingOptions& sampling);

  StepResult step_once(const std::vector<torch::Tensor>& images,
                       const std::vector<GroundTruth>& ground_truths, const StepOptions& options,
                       const JobContext& poll);

  model::MaskRcnn network_;
  SamplingOptions sampling_;
  RecordedTrunk trunk_;
};

}  // namespace cellroute::train
