#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <utility>

#include "checks.h"

namespace cellroute::test {

/** Equal shape, type and values; NaN equals NaN. */
inline bool same(const torch::Tensor& a, const torch::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         torch::allclose(a, b, /*rtol=*/0, /*atol=*/0, /*equal_nan=*/true);
}

/** Result of `work` with this many threads. */
template <typename Work>
auto with_threads(int threads, Work work) {
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  auto result = work();
  at::set_num_threads(before);
  return result;
}

}  // namespace cellroute::test
