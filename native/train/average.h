#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "io/weights.h"

namespace cellroute::train {

/** The exponential moving average of a network's parameters and floating buffers; integer buffers
 *  are copied. As torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn and use_buffers,
 *  but for the decay of its beginning: update n (from 0) uses min(decay, (1 + n) / (10 + n)), as
 *  TensorFlow's ExponentialMovingAverage does with num_updates, so that an average of few steps is
 *  not made of the weights it began with. */
class WeightAverage {
 public:
  WeightAverage(const torch::nn::Module& network, double decay);

  /** The average becomes the network as it is, and its updates count from 0 again. */
  void start(const torch::nn::Module& network);
  void update(const torch::nn::Module& network);

  /** The average itself, by the network's names. */
  const io::NamedTensors& tensors() const { return tensors_; }
  /** [] int64: how many updates it has seen. */
  const torch::Tensor& updates() const { return updates_; }

 private:
  double decay_;
  io::NamedTensors tensors_;
  torch::Tensor updates_;
};

}  // namespace cellroute::train
