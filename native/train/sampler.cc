#include "train/sampler.h"

#include <algorithm>
#include <cmath>

namespace cellroute::train {
namespace {

torch::Tensor sorted(const torch::Tensor& values) { return std::get<0>(values.sort()); }

torch::Tensor draw(const torch::Tensor& candidates, int64_t count, const at::Generator& generator) {
  if (count >= candidates.size(0)) return candidates;
  // A GPU draws by its own generator, which the step's seed has set as well.
  const auto order = candidates.is_cuda()
                         ? torch::randperm(candidates.size(0), candidates.options())
                         : torch::randperm(candidates.size(0), generator, candidates.options());
  return sorted(candidates.index_select(0, order.narrow(0, 0, count)));
}

}  // namespace

torch::Tensor Sampled::all() const { return sorted(torch::cat({positive, negative})); }

Sampled sample_balanced(const torch::Tensor& labels, int64_t batch_size, double positive_fraction,
                        const at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  const auto positive = (labels > 0).nonzero().squeeze(1);
  const auto negative = (labels == 0).nonzero().squeeze(1);
  const auto share = static_cast<double>(batch_size) * positive_fraction;
  const int64_t positives = std::min(positive.size(0), static_cast<int64_t>(std::floor(share)));
  return {draw(positive, positives, generator), draw(negative, batch_size - positives, generator)};
}

}  // namespace cellroute::train
