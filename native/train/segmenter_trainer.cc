#include "train/segmenter_trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <c10/util/Exception.h>

#include "train/seed.h"
#include "train/trainable.h"

namespace cellroute::train {
namespace {

model::MaskRcnn fresh(const model::MaskRcnnConfig& config, const TrainerOptions& options) {
  seed_generators(options.seed, torch::kCPU);
  model::MaskRcnn network(config);
  set_trainable(network, options.trainable_layers, options.update_batch_statistics);
  network->to(options.device);
  return network;
}

}  // namespace

SegmenterTrainer::SegmenterTrainer(const model::MaskRcnnConfig& config,
                                   const TrainerOptions& options, const SamplingOptions& sampling)
    : SegmenterTrainer(fresh(config, options), options, sampling) {}

SegmenterTrainer::SegmenterTrainer(const model::MaskRcnn& network, const TrainerOptions& options,
                                   const SamplingOptions& sampling)
    : Trainer(network.ptr(), options), network_(network), sampling_(sampling) {}

StepResult SegmenterTrainer::step(const std::vector<torch::Tensor>& images,
                                  const std::vector<GroundTruth>& ground_truths,
                                  const StepOptions& options, const JobContext& poll) {
  try {
    return step_once(images, ground_truths, options, poll);
  } catch (const c10::OutOfMemoryError&) {
    // The recordings may hold the missing memory. Within an optimizer update there is no second
    // try.
    if (!is_whole() || !trunk_.disable()) throw;
  }
  return step_once(images, ground_truths, options, poll);
}

StepResult SegmenterTrainer::step_once(const std::vector<torch::Tensor>& images,
                                       const std::vector<GroundTruth>& ground_truths,
                                       const StepOptions& options, const JobContext& poll) {
  return take_step(
      options,
      [&]() -> Losses {
        const auto losses =
            mask_rcnn_losses(network_, images, ground_truths, sampling_,
                             at::detail::createCPUGenerator(options.seed), poll, &trunk_);
        return {{"loss_classifier", losses.classifier},
                {"loss_box_reg", losses.box_reg},
                {"loss_mask", losses.mask},
                {"loss_objectness", losses.objectness},
                {"loss_rpn_box_reg", losses.rpn_box_reg}};
      },
      poll);
}

}  // namespace cellroute::train
