#include "train/classifier_trainer.h"

#include "error.h"
#include "model/transform.h"
#include "train/seed.h"
#include "train/trainable.h"

namespace cellroute::train {
namespace {

model::Classifier fresh(const model::ClassifierConfig& config, const TrainerOptions& options) {
  seed_generators(options.seed, torch::kCPU);
  model::Classifier network(config);
  set_trainable_layers(*network, options.trainable_layers);
  for (const auto& item : network->named_parameters()) {
    const bool head = item.key().rfind("fc.", 0) == 0 || item.key().rfind("head.", 0) == 0;
    if (head) item.value().set_requires_grad(true);
  }
  set_training(*network, options.update_batch_statistics);
  network->to(options.device);
  return network;
}

}  // namespace

ClassifierTrainer::ClassifierTrainer(const model::ClassifierConfig& config,
                                     const TrainerOptions& options,
                                     const std::vector<double>& class_weights)
    : ClassifierTrainer(fresh(config, options), options, class_weights) {}

ClassifierTrainer::ClassifierTrainer(const model::Classifier& network,
                                     const TrainerOptions& options,
                                     const std::vector<double>& class_weights)
    : Trainer(network.ptr(), options), network_(network) {
  if (!class_weights.empty()) {
    if (static_cast<int64_t>(class_weights.size()) != config().num_classes) {
      throw Error("INVALID_ARGUMENT", "There must be one weight a class");
    }
    class_weights_ = torch::tensor(class_weights, torch::kFloat32).to(device());
  }
  for (const auto& module : network_->modules()) {
    if (module->as<torch::nn::BatchNorm1d>() && module->is_training()) row_norms_.push_back(module);
  }
}

StepResult ClassifierTrainer::step(const torch::Tensor& images, const torch::Tensor& labels,
                                   const StepOptions& options, const JobContext& poll) {
  // A single row, as in the last batch of an epoch, has no variance: it is normalised with the
  // running statistics of the head.
  for (const auto& norm : row_norms_) norm->train(images.size(0) > 1);
  return take_step(
      options,
      [&]() -> Losses {
        poll("forward", 0);
        const auto logits =
            network_->forward(model::normalize(images.to(device()), config().normalize),
                              [&poll](double done) { poll("forward", done * kForwardEnds); });
        return {{"loss", torch::cross_entropy_loss(logits.to(torch::kFloat32), labels.to(device()),
                                                   class_weights_)}};
      },
      poll);
}

}  // namespace cellroute::train
