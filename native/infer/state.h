#pragma once

#include <string>
#include <unordered_map>
#include <utility>

#include "model/config.h"
#include "nn.h"

namespace cellroute::infer {

/** A network's tensors by key, from which a plan is built. */
class State {
 public:
  explicit State(const torch::nn::Module& network);

  bool has(const std::string& key) const { return tensors_.contains(key); }
  /** The key must exist. */
  const torch::Tensor& at(const std::string& key) const;

 private:
  std::unordered_map<std::string, torch::Tensor> tensors_;
};

/** The weight and bias of a layer. */
struct Affine {
  torch::Tensor weight;
  torch::Tensor bias;
};

/** `layer`.weight and `layer`.bias; zeros if there is no bias. */
Affine affine_of(const State& state, const std::string& layer);

/** Two layers over the same input as one; the outputs of `first` come before those of `second`. */
Affine concat_outputs(const Affine& first, const Affine& second);

/** A convolution followed by an evaluated batch norm, frozen or not, as one convolution. */
Affine folded(const State& state, const std::string& conv, const std::string& norm, double eps);

}  // namespace cellroute::infer
