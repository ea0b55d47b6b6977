#pragma once

#include <torch/types.h>

namespace cellroute::train {

/** Indices of the candidates that a loss uses: int64, increasing. */
struct Sampled {
  torch::Tensor positive;
  torch::Tensor negative;

  /** All indices in one increasing list. */
  torch::Tensor all() const;
};

/** torchvision's BalancedPositiveNegativeSampler: at most batch_size * positive_fraction of the
 *  positive candidates, then negative ones up to batch_size, each drawn uniformly. labels [N]
 *  int64: above 0 positive, 0 negative, below 0 ignored. */
Sampled sample_balanced(const torch::Tensor& labels, int64_t batch_size, double positive_fraction,
                        const at::Generator& generator);

/** The result of sample_balanced_padded() per image: indices [N, P] and [N, Q] int64, valid
 *  where `taken` is true. */
struct PaddedSampled {
  torch::Tensor positive, positive_taken;
  torch::Tensor negative, negative_taken;
};

/** sample_balanced() for N images at once, labels [N, K], with their device's own generator,
 *  seeded for the step. No shape depends on a value, so on a GPU the host never waits. */
PaddedSampled sample_balanced_padded(const torch::Tensor& labels, int64_t batch_size,
                                     double positive_fraction);

}  // namespace cellroute::train
