#pragma once

#include "addon/read.h"
#include "train/mask_rcnn_loss.h"
#include "train/trainer.h"

namespace cellroute::addon {

// Read NativeOptimizer, NativeTrainerOptions, NativeSampling and NativeStep of the contract.
train::OptimizerConfig read_optimizer(const Fields& fields);
train::TrainerOptions read_trainer_options(const Fields& fields, torch::Device device);
train::SamplingOptions read_sampling(const Fields& fields);
train::StepOptions read_step(const Fields& fields);

}  // namespace cellroute::addon
