#pragma once

#include <torch/optim/adamw.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "io/weights.h"
#include "nn.h"

namespace cellroute::train {

struct OptimizerConfig {
  enum class Kind : uint8_t { kSgd, kAdamW };

  Kind kind = Kind::kSgd;
  double weight_decay = 0;
  bool nesterov = false;  // SGD
  double beta2 = 0.999;   // AdamW
  double eps = 1e-8;      // AdamW
};

/** LibTorch's SGD or AdamW over named parameters. The whole state is allocated at the start as
 *  zeros, which is numerically the same as torch.optim's state after a parameter's first step. */
class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, const io::NamedTensors& parameters);

  /** `momentum` is SGD's momentum or AdamW's beta1. A parameter without a gradient is not
   *  changed. */
  void step(double lr, double momentum);

  /** The state itself: `<key>.momentum_buffer`, or `<key>.exp_avg`, `.exp_avg_sq` and `.step`.
   *  Call restored() after writing to it. */
  const io::NamedTensors& state() const { return state_; }
  void restored();

 private:
  void add_sgd(const io::NamedTensors& parameters);
  /** The optimizer's step for all parameters in few kernel launches, for GPUs. */
  void step_foreach();
  void add_adamw(const io::NamedTensors& parameters);

  /** LibTorch counts AdamW's steps in its own int64; `count` is the saved copy. */
  struct Step {
    torch::optim::AdamWParamState* state;
    torch::Tensor count;  // [] int64
  };

  OptimizerConfig config_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  io::NamedTensors state_;
  std::vector<Step> steps_;  // AdamW's, one per parameter
};

}  // namespace cellroute::train
