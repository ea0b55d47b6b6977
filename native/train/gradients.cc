#include "train/gradients.h"

namespace cellroute::train {
namespace {

std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& parameters) {
  std::vector<torch::Tensor> grads;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) grads.push_back(parameter.grad());
  }
  return grads;
}

}  // namespace

double gradient_norm(const std::vector<torch::Tensor>& parameters) {
  const torch::NoGradGuard no_grad;
  const auto grads = gradients_of(parameters);
  if (grads.empty()) return 0.0;
  return torch::linalg_vector_norm(torch::stack(at::_foreach_norm(grads))).item<double>();
}

void clip_gradients(const std::vector<torch::Tensor>& parameters, double norm, double max_norm) {
  const torch::NoGradGuard no_grad;
  // In float32, and in the order in which Python divides a number by a tensor, for equality to the
  // last bit.
  const auto scale = (torch::tensor(static_cast<float>(norm)) + 1e-6).reciprocal() * max_norm;
  if (scale.item<float>() >= 1.0F) return;
  const auto grads = gradients_of(parameters);
  if (!grads.empty()) at::_foreach_mul_(grads, scale.to(grads.front().device()));
}

}  // namespace cellroute::train
