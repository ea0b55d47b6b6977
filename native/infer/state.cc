#include "infer/state.h"

#include "error.h"

namespace cellroute::infer {

State::State(const torch::nn::Module& network) {
  for (const auto& item : network.named_parameters()) {
    tensors_.emplace(item.key(), item.value().detach());
  }
  for (const auto& item : network.named_buffers()) tensors_.emplace(item.key(), item.value());
}

const torch::Tensor& State::at(const std::string& key) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end()) throw Error("NATIVE_FAILURE", "The network has no tensor " + key);
  return found->second;
}

Affine affine_of(const State& state, const std::string& layer) {
  const auto& weight = state.at(layer + ".weight");
  return {weight, state.has(layer + ".bias") ? state.at(layer + ".bias")
                                             : torch::zeros({weight.size(0)}, weight.options())};
}

Affine concat_outputs(const Affine& first, const Affine& second) {
  return {torch::cat({first.weight, second.weight}), torch::cat({first.bias, second.bias})};
}

Affine folded(const State& state, const std::string& conv, const std::string& norm, double eps) {
  const auto [weight, bias] = affine_of(state, conv);
  const auto of = [&](const char* name) { return state.at(norm + name).to(torch::kFloat64); };
  // In double: the reference never rounds between the two.
  const auto scale = of(".weight") / (of(".running_var") + eps).sqrt();
  const auto shift = of(".bias") + (bias.to(torch::kFloat64) - of(".running_mean")) * scale;
  return {weight * scale.to(torch::kFloat32).view({-1, 1, 1, 1}), shift.to(torch::kFloat32)};
}

}  // namespace cellroute::infer
