#include "train/gradients.h"

namespace cellroute::train {

double gradient_norm(const std::vector<torch::Tensor>& parameters) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> norms;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) norms.push_back(torch::linalg_vector_norm(parameter.grad()));
  }
  return norms.empty() ? 0.0 : torch::linalg_vector_norm(torch::stack(norms)).item<double>();
}

void clip_gradients(const std::vector<torch::Tensor>& parameters, double norm, double max_norm) {
  const torch::NoGradGuard no_grad;
  // In float32, and as Python divides a number by a tensor: the last bit would differ otherwise.
  const auto scale = (torch::tensor(static_cast<float>(norm)) + 1e-6).reciprocal() * max_norm;
  if (scale.item<float>() >= 1.0F) return;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) parameter.grad().mul_(scale);
  }
}

}  // namespace cellroute::train
