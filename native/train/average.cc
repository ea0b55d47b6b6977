#include "train/average.h"

#include <algorithm>

namespace cellroute::train {

WeightAverage::WeightAverage(const torch::nn::Module& network, double decay)
    : decay_(decay), updates_(torch::zeros({}, torch::kInt64)) {
  for (const auto& [name, tensor] : io::named_tensors(network)) {
    tensors_.emplace_back(name, tensor.detach().clone());
  }
}

void WeightAverage::start(const torch::nn::Module& network) {
  const torch::NoGradGuard no_grad;
  const auto current = io::named_tensors(network);
  for (size_t i = 0; i < current.size(); ++i) tensors_[i].second.copy_(current[i].second);
  updates_.zero_();
}

void WeightAverage::update(const torch::nn::Module& network) {
  const torch::NoGradGuard no_grad;
  const auto count = static_cast<double>(updates_.item<int64_t>());
  const double decay = std::min(decay_, (1 + count) / (10 + count));
  const auto current = io::named_tensors(network);
  // All tensors in few calls: a GPU updates hundreds of small tensors in few launches.
  std::vector<torch::Tensor> averages, tensors;
  for (size_t i = 0; i < current.size(); ++i) {
    if (current[i].second.is_floating_point()) {
      averages.push_back(tensors_[i].second);
      tensors.push_back(current[i].second);
    } else {
      tensors_[i].second.copy_(current[i].second);
    }
  }
  at::_foreach_lerp_(averages, tensors, 1 - decay);
  updates_.add_(1);
}

}  // namespace cellroute::train
