#pragma once

#include "nn.h"

namespace cellroute::model {

/** The device of a network's tensors, which all lie on one device. */
inline torch::Device device_of(const torch::nn::Module& network) {
  const auto parameters = network.parameters();
  return parameters.empty() ? torch::Device(torch::kCPU) : parameters.front().device();
}

}  // namespace cellroute::model
