#include "train/sampler.h"

#include <ATen/CPUGeneratorImpl.h>

#include "tensors.h"

using cellroute::test::same;
using cellroute::train::sample_balanced;

namespace {

at::Generator generator(uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

/** 40 positive, 60 negative and 50 that are neither, mixed. */
torch::Tensor some_labels() {
  const auto labels = torch::cat({torch::randint(1, 4, {40}), torch::zeros({60}, torch::kInt64),
                                  torch::full({50}, -1, torch::kInt64)});
  return labels.index_select(0, torch::randperm(150, generator(5)));
}

torch::Tensor indices(const torch::Tensor& condition) { return condition.nonzero().squeeze(1); }

bool is_subset(const torch::Tensor& some, const torch::Tensor& all) {
  return torch::isin(some, all).all().item<bool>();
}

bool rises(const torch::Tensor& values) {
  return values.size(0) < 2 || (values.diff() > 0).all().item<bool>();
}

}  // namespace

TEST_CASE("sampler: takes everything where there is room") {
  const auto labels = some_labels();
  const auto sampled = sample_balanced(labels, 1'000'000'000, 0.5, generator(1));
  CHECK(same(sampled.positive, indices(labels > 0)));
  CHECK(same(sampled.negative, indices(labels == 0)));
  CHECK(same(sampled.all(), indices(labels >= 0)));
}

TEST_CASE("sampler: positive ones up to their share, negative ones for the rest") {
  const auto labels = some_labels();
  const auto check = [&](int64_t batch, double fraction, int64_t positive, int64_t negative) {
    const auto sampled = sample_balanced(labels, batch, fraction, generator(2));
    CHECK(sampled.positive.size(0) == positive);
    CHECK(sampled.negative.size(0) == negative);
    CHECK(is_subset(sampled.positive, indices(labels > 0)));
    CHECK(is_subset(sampled.negative, indices(labels == 0)));
    CHECK(rises(sampled.positive));
    CHECK(rises(sampled.all()));
  };
  check(32, 0.25, 8, 24);
  check(31, 0.25, 7, 24);    // rounded down
  check(200, 0.25, 40, 60);  // too few of both
  check(90, 0.5, 40, 50);    // too few positive ones: more negative ones
  check(0, 0.5, 0, 0);
  check(8, 0, 0, 8);
  check(8, 1, 8, 0);
}

TEST_CASE("sampler: the generator decides, nothing else") {
  const auto labels = some_labels();
  const auto draw = [&](uint64_t seed) {
    torch::manual_seed(seed + 100);
    return sample_balanced(labels, 40, 0.5, generator(seed)).all();
  };
  CHECK(same(draw(1), draw(1)));
  CHECK_FALSE(same(draw(1), draw(2)));
  // Every candidate has its turn.
  auto seen = torch::zeros({150});
  for (uint64_t seed = 0; seed < 60; ++seed) seen.index_fill_(0, draw(seed), 1);
  CHECK(same(indices(seen > 0), indices(labels >= 0)));
}

TEST_CASE("sampler: nothing to draw from") {
  const auto none = torch::empty({0}, torch::kInt64);
  CHECK(sample_balanced(none, 40, 0.5, generator(1)).all().size(0) == 0);
  const auto ignored = torch::full({9}, -1, torch::kInt64);
  CHECK(sample_balanced(ignored, 40, 0.5, generator(1)).all().size(0) == 0);
}
