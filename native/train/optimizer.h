#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "io/weights.h"

namespace cellroute::train {

struct OptimizerConfig {
  enum class Kind : uint8_t { kSgd, kAdamW };

  Kind kind = Kind::kSgd;
  double weight_decay = 0;
  bool nesterov = false;  // SGD
  double beta2 = 0.999;   // AdamW
  double eps = 1e-8;      // AdamW
};

/** LibTorch's SGD or AdamW over parameters by name. Its whole state is there from the beginning, as
 *  zeros: what torch.optim makes at a parameter's first step is the same in numbers. */
class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, const io::NamedTensors& parameters);

  /** `momentum` is SGD's, or AdamW's beta1. A parameter without a gradient stays as it is. */
  void step(double lr, double momentum);

  /** The state itself: `<key>.momentum_buffer`, or `<key>.exp_avg`, `.exp_avg_sq` and `.step`.
   *  Whoever writes to it calls restored(). */
  const io::NamedTensors& state() const { return state_; }
  void restored();

 private:
  void add_sgd(const io::NamedTensors& parameters);
  /** The optimiser's own step in few launches for all parameters, where each launch counts. */
  void step_foreach();
  void add_adamw(const io::NamedTensors& parameters);

  /** LibTorch counts AdamW's steps in an int64 of its own; `count` is what of it is saved. */
  struct Step {
    torch::optim::AdamWParamState* state;
    torch::Tensor count;  // [] int64
  };

  OptimizerConfig config_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  io::NamedTensors state_;
  std::vector<Step> steps_;  // AdamW's, one a parameter
};

}  // namespace cellroute::train
