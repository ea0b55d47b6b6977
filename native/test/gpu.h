#pragma once

#include <torch/types.h>

#include <cmath>

#include "engine/cuda/gpu.h"
#include "engine/tf32.h"

namespace cellroute::test {

/** Skips a case without a GPU, and counts it as skipped:
 *  TEST_CASE("..." * doctest::skip(no_gpu())). */
inline bool no_gpu() {
  // Runs before main, when this program's kernels may not be registered yet, so only the driver is
  // queried.
  static const bool none = cuda::find_gpus().list.empty();
  return none;
}

inline torch::Device gpu() { return {torch::kCUDA, 0}; }

/** Largest difference as a share of the largest value. */
inline double relative_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  if (actual.sizes() != expected.sizes()) return INFINITY;
  if (expected.numel() == 0) return 0;
  const auto a = actual.detach().to(torch::kCPU, torch::kFloat64);
  const auto b = expected.detach().to(torch::kCPU, torch::kFloat64);
  return ((a - b).abs().max() / b.abs().max().clamp_min(1e-12)).item<double>();
}

}  // namespace cellroute::test
