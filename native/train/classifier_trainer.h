#pragma once

#include <vector>

#include "model/classifier.h"
#include "nn.h"
#include "train/trainer.h"

namespace cellroute::train {

/** Trains a ResNet classifier with cross-entropy. */
class ClassifierTrainer final : public Trainer {
 public:
  /** Creates a network with new weights. `class_weights` has one value per class or none. */
  ClassifierTrainer(const model::ClassifierConfig& config, const TrainerOptions& options,
                    const std::vector<double>& class_weights);

  const model::ClassifierConfig& config() const { return network_->config(); }

  /** images [N, 3, H, W] float32, not normalised; labels [N] int64, 0 to num_classes - 1. The
   *  loss is the mean over the class weights of the batch, as in torch's cross_entropy. */
  StepResult step(const torch::Tensor& images, const torch::Tensor& labels,
                  const StepOptions& options, const JobContext& poll = {});

 private:
  ClassifierTrainer(const model::Classifier& network, const TrainerOptions& options,
                    const std::vector<double>& class_weights);

  model::Classifier network_;
  torch::Tensor class_weights_;
  /** Norms over rows that update their statistics. */
  std::vector<std::shared_ptr<torch::nn::Module>> row_norms_;
};

}  // namespace cellroute::train
