#include "train/optimizer.h"

#include <torch/optim/sgd.h>

#include <cmath>
#include <tuple>
#include <utility>

namespace cellroute::train {
namespace {

namespace optim = torch::optim;

// Each step sets its own values; LibTorch requires valid ones at construction.
constexpr double kAnyRate = 0.1;
constexpr double kAnyMomentum = 0.9;

std::vector<torch::Tensor> tensors_of(const io::NamedTensors& named) {
  std::vector<torch::Tensor> tensors;
  tensors.reserve(named.size());
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

template <typename State>
State& state_of(optim::Optimizer& optimizer, const torch::Tensor& parameter) {
  return static_cast<State&>(*optimizer.state().at(parameter.unsafeGetTensorImpl()));
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
  const auto& parameters = optimizer_->param_groups().front().params();
  if (!parameters.empty() && parameters.front().is_cuda()) {
    step_foreach();
  } else {
    optimizer_->step();
  }
  for (auto& [state, count] : steps_) count.fill_(state->step());
}

void Optimizer::step_foreach() {
  const torch::NoGradGuard no_grad;
  const auto& group = optimizer_->param_groups().front();
  std::vector<torch::Tensor> parameters, grads, first, second;
  for (const auto& parameter : group.params()) {
    if (!parameter.grad().defined()) continue;
    parameters.push_back(parameter);
    grads.push_back(parameter.grad());
  }
  if (parameters.empty()) return;
  if (config_.kind == OptimizerConfig::Kind::kSgd) {
    const auto& options = static_cast<const optim::SGDOptions&>(group.options());
    for (const auto& parameter : parameters) {
      first.push_back(state_of<optim::SGDParamState>(*optimizer_, parameter).momentum_buffer());
    }
    auto change = at::_foreach_add(grads, parameters, options.weight_decay());
    at::_foreach_mul_(first, options.momentum());
    at::_foreach_add_(first, change);
    if (options.nesterov()) at::_foreach_add_(change, first, options.momentum());
    at::_foreach_add_(parameters, options.nesterov() ? change : first, -options.lr());
    return;
  }
  const auto& options = static_cast<const optim::AdamWOptions&>(group.options());
  const auto [beta1, beta2] = options.betas();
  std::vector<at::Scalar> change, shrink;
  for (const auto& parameter : parameters) {
    auto& state = state_of<optim::AdamWParamState>(*optimizer_, parameter);
    state.step(state.step() + 1);
    const auto step = static_cast<double>(state.step());
    change.emplace_back(-options.lr() / (1 - std::pow(beta1, step)));
    shrink.emplace_back(std::sqrt(1 - std::pow(beta2, step)));
    first.push_back(state.exp_avg());
    second.push_back(state.exp_avg_sq());
  }
  at::_foreach_mul_(parameters, 1 - options.lr() * options.weight_decay());
  at::_foreach_mul_(first, beta1);
  at::_foreach_add_(first, grads, 1 - beta1);
  at::_foreach_mul_(second, beta2);
  at::_foreach_addcmul_(second, grads, grads, 1 - beta2);
  auto denominator = at::_foreach_sqrt(second);
  at::_foreach_div_(denominator, shrink);
  at::_foreach_add_(denominator, options.eps());
  at::_foreach_addcdiv_(parameters, first, denominator, change);
}

void Optimizer::restored() {
  for (auto& [state, count] : steps_) state->step(count.item<int64_t>());
}

}  // namespace cellroute::train
