#pragma once

#include <torch/torch.h>

namespace cellroute::train {

/** Indices of the candidates a loss looks at: int64, rising. */
struct Sampled {
  torch::Tensor positive;
  torch::Tensor negative;

  /** Both as one list, rising. */
  torch::Tensor all() const;
};

/** torchvision's BalancedPositiveNegativeSampler: at most batch_size * positive_fraction of the
 *  positive candidates, then negative ones up to batch_size, each drawn without preference.
 *  labels [N] int64: above 0 positive, 0 negative, below 0 not asked. */
Sampled sample_balanced(const torch::Tensor& labels, int64_t batch_size, double positive_fraction,
                        const at::Generator& generator);

/** What sample_balanced_padded draws of each image: indices [N, P] and [N, Q] int64, of which
 *  only those count that are `taken`. */
struct PaddedSampled {
  torch::Tensor positive, positive_taken;
  torch::Tensor negative, negative_taken;
};

/** sample_balanced of N images at once, labels [N, K], by their device's own generator, which the
 *  step's seed has set. All shapes are known beforehand: on a GPU the host waits for nothing. */
PaddedSampled sample_balanced_padded(const torch::Tensor& labels, int64_t batch_size,
                                     double positive_fraction);

}  // namespace cellroute::train
