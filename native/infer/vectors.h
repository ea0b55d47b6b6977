#pragma once

#include <torch/types.h>

#include <vector>

namespace cellroute::infer {

/** A tensor's values in row-major order; `dtype` must be the type of T. */
template <typename T>
std::vector<T> to_vector(const torch::Tensor& tensor, torch::ScalarType dtype) {
  const auto plain = tensor.to(torch::kCPU, dtype).contiguous();
  const auto* data = plain.const_data_ptr<T>();
  return std::vector<T>(data, data + plain.numel());
}

}  // namespace cellroute::infer
