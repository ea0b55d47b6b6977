#pragma once

#include <cstdint>

#include "io/weights.h"
#include "nn.h"

namespace cellroute::train {

/** The exponential moving average of a network's parameters and floating-point buffers; integer
 *  buffers are copied. Like torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn and
 *  use_buffers, except for the decay of the first updates: update n (from 0) uses min(decay, (1
 *  + n) / (10 + n)), like TensorFlow's ExponentialMovingAverage with num_updates, so that the
 *  initial weights do not dominate an average of few steps. */
class WeightAverage {
 public:
  WeightAverage(const torch::nn::Module& network, double decay);

  /** Sets the average to the network's current state and resets the number of updates to 0. */
  void start(const torch::nn::Module& network);
  void update(const torch::nn::Module& network);

  /** The average itself, by the network's names. */
  const io::NamedTensors& tensors() const { return tensors_; }
  /** [] int64: the number of updates. */
  const torch::Tensor& updates() const { return updates_; }

 private:
  double decay_;
  io::NamedTensors tensors_;
  torch::Tensor updates_;
};

}  // namespace cellroute::train
