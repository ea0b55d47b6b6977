#include "train/sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cellroute::train {
namespace {

torch::Tensor sorted(const torch::Tensor& values) { return std::get<0>(values.sort()); }

int64_t positives_among(int64_t batch_size, double fraction) {
  return static_cast<int64_t>(std::floor(static_cast<double>(batch_size) * fraction));
}

torch::Tensor draw(const torch::Tensor& candidates, int64_t count, const at::Generator& generator) {
  if (count >= candidates.size(0)) return candidates;
  const auto order = torch::randperm(candidates.size(0), generator, candidates.options());
  return sorted(candidates.index_select(0, order.narrow(0, 0, count)));
}

}  // namespace

torch::Tensor Sampled::all() const { return sorted(torch::cat({positive, negative})); }

Sampled sample_balanced(const torch::Tensor& labels, int64_t batch_size, double positive_fraction,
                        const at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  const auto positive = (labels > 0).nonzero().squeeze(1);
  const auto negative = (labels == 0).nonzero().squeeze(1);
  const int64_t positives =
      std::min(positive.size(0), positives_among(batch_size, positive_fraction));
  return {draw(positive, positives, generator), draw(negative, batch_size - positives, generator)};
}

PaddedSampled sample_balanced_padded(const torch::Tensor& labels, int64_t batch_size,
                                     double positive_fraction) {
  const torch::NoGradGuard no_grad;
  // Taking the highest of random keys draws uniformly.
  const auto keys = torch::rand(labels.sizes(), labels.options().dtype(torch::kFloat32));
  const auto highest = [&](const torch::Tensor& candidates, int64_t count) {
    constexpr double kNoCandidate = -1;
    const auto [key, index] = keys.masked_fill(candidates.logical_not(), kNoCandidate)
                                  .topk(std::min(count, labels.size(1)), 1);
    return std::make_pair(index, key >= 0);
  };
  const auto [positive, positive_taken] =
      highest(labels > 0, positives_among(batch_size, positive_fraction));
  const auto [negative, is_negative] = highest(labels == 0, batch_size);
  const auto room = batch_size - positive_taken.sum(1, /*keepdim=*/true);
  const auto rank = torch::arange(negative.size(1), negative.options());
  return {positive, positive_taken, negative, is_negative.logical_and(rank < room)};
}

}  // namespace cellroute::train
