#include "train/optimizer.h"

#include <tuple>
#include <utility>

namespace cellroute::train {
namespace {

namespace optim = torch::optim;

// Every step brings its own; LibTorch wants valid ones to begin with.
constexpr double kAnyRate = 0.1;
constexpr double kAnyMomentum = 0.9;

std::vector<torch::Tensor> tensors_of(const io::NamedTensors& named) {
  std::vector<torch::Tensor> tensors;
  tensors.reserve(named.size());
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

}  // namespace

Optimizer::Optimizer(const OptimizerConfig& config, const io::NamedTensors& parameters)
    : config_(config) {
  switch (config.kind) {
    case OptimizerConfig::Kind::kSgd:
      add_sgd(parameters);
      break;
    case OptimizerConfig::Kind::kAdamW:
      add_adamw(parameters);
      break;
  }
}

void Optimizer::add_sgd(const io::NamedTensors& parameters) {
  optimizer_ =
      std::make_unique<optim::SGD>(tensors_of(parameters), optim::SGDOptions(kAnyRate)
                                                               .momentum(kAnyMomentum)
                                                               .weight_decay(config_.weight_decay)
                                                               .nesterov(config_.nesterov));
  for (const auto& [name, parameter] : parameters) {
    auto state = std::make_unique<optim::SGDParamState>();
    state->momentum_buffer(torch::zeros_like(parameter));
    state_.emplace_back(name + ".momentum_buffer", state->momentum_buffer());
    optimizer_->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }
}

void Optimizer::add_adamw(const io::NamedTensors& parameters) {
  optimizer_ = std::make_unique<optim::AdamW>(tensors_of(parameters),
                                              optim::AdamWOptions(kAnyRate)
                                                  .betas({kAnyMomentum, config_.beta2})
                                                  .eps(config_.eps)
                                                  .weight_decay(config_.weight_decay));
  for (const auto& [name, parameter] : parameters) {
    auto state = std::make_unique<optim::AdamWParamState>();
    state->exp_avg(torch::zeros_like(parameter));
    state->exp_avg_sq(torch::zeros_like(parameter));
    steps_.push_back({state.get(), torch::zeros({}, torch::kInt64)});
    state_.emplace_back(name + ".exp_avg", state->exp_avg());
    state_.emplace_back(name + ".exp_avg_sq", state->exp_avg_sq());
    state_.emplace_back(name + ".step", steps_.back().count);
    optimizer_->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }
}

void Optimizer::step(double lr, double momentum) {
  auto& options = optimizer_->param_groups().front().options();
  options.set_lr(lr);
  if (config_.kind == OptimizerConfig::Kind::kSgd) {
    static_cast<optim::SGDOptions&>(options).momentum(momentum);
  } else {
    static_cast<optim::AdamWOptions&>(options).betas({momentum, config_.beta2});
  }
  optimizer_->step();
  for (auto& [state, count] : steps_) count.fill_(state->step());
}

void Optimizer::restored() {
  for (auto& [state, count] : steps_) state->step(count.item<int64_t>());
}

}  // namespace cellroute::train
