#include "train/sampler.h"

#include <ATen/CPUGeneratorImpl.h>

#include "tensors.h"

namespace sampler_test {

using cellroute::test::same;
using cellroute::train::sample_balanced;
using cellroute::train::sample_balanced_padded;

namespace {

at::Generator generator(uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

/** 40 positive, 60 negative and 50 ignored candidates, mixed. */
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

TEST_CASE("sampler: takes all candidates if there are few") {
  const auto labels = some_labels();
  const auto sampled = sample_balanced(labels, 1'000'000'000, 0.5, generator(1));
  CHECK(same(sampled.positive, indices(labels > 0)));
  CHECK(same(sampled.negative, indices(labels == 0)));
  CHECK(same(sampled.all(), indices(labels >= 0)));
}

TEST_CASE("sampler: positives up to their share, negatives for the rest") {
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
  check(90, 0.5, 40, 50);    // too few positives: more negatives
  check(0, 0.5, 0, 0);
  check(8, 0, 0, 8);
  check(8, 1, 8, 0);
}

TEST_CASE("sampler: the choice depends only on the generator") {
  const auto labels = some_labels();
  const auto draw = [&](uint64_t seed) {
    torch::manual_seed(seed + 100);
    return sample_balanced(labels, 40, 0.5, generator(seed)).all();
  };
  CHECK(same(draw(1), draw(1)));
  CHECK_FALSE(same(draw(1), draw(2)));
  // Every candidate is chosen at some time.
  auto seen = torch::zeros({150});
  for (uint64_t seed = 0; seed < 60; ++seed) seen.index_fill_(0, draw(seed), 1);
  CHECK(same(indices(seen > 0), indices(labels >= 0)));
}

TEST_CASE("sampler: no candidates") {
  const auto none = torch::empty({0}, torch::kInt64);
  CHECK(sample_balanced(none, 40, 0.5, generator(1)).all().size(0) == 0);
  const auto ignored = torch::full({9}, -1, torch::kInt64);
  CHECK(sample_balanced(ignored, 40, 0.5, generator(1)).all().size(0) == 0);
}

TEST_CASE("padded sampler: as many of each as image by image, uniformly distributed") {
  torch::manual_seed(4);
  // The second image has no positives, the third no candidates.
  const auto labels =
      torch::stack({some_labels(), some_labels().clamp_max(0), torch::full({150}, -1)});
  for (const auto& [batch, fraction] :
       {std::pair{32, 0.25}, {31, 0.25}, {200, 0.25}, {90, 0.5}, {0, 0.5}, {8, 0.0}, {8, 1.0}}) {
    const auto drawn = sample_balanced_padded(labels, batch, fraction);
    for (int64_t n = 0; n < 3; ++n) {
      const auto expected = sample_balanced(labels[n], batch, fraction, generator(1));
      const auto check = [&](const torch::Tensor& index, const torch::Tensor& taken,
                             const torch::Tensor& among, const torch::Tensor& like) {
        const auto chosen = index[n].masked_select(taken[n]);
        CHECK(chosen.size(0) == like.size(0));
        CHECK(is_subset(chosen, among));
        CHECK(std::get<0>(at::_unique(chosen)).size(0) == chosen.size(0));
      };
      check(drawn.positive, drawn.positive_taken, indices(labels[n] > 0), expected.positive);
      check(drawn.negative, drawn.negative_taken, indices(labels[n] == 0), expected.negative);
    }
  }
  auto times = torch::zeros({150});
  for (int i = 0; i < 2000; ++i) {
    const auto drawn = sample_balanced_padded(labels.narrow(0, 0, 1), 30, 0.5);
    times.index_add_(0, drawn.positive[0], torch::ones({15}));
    times.index_add_(0, drawn.negative[0].masked_select(drawn.negative_taken[0]),
                     torch::ones({15}));
  }
  // 15 of 40 and 15 of 60, each within six standard deviations of the expected number.
  const auto positive = times.masked_select(labels[0] > 0);
  const auto negative = times.masked_select(labels[0] == 0);
  CHECK(((positive - 750).abs() < 6 * 21.7).all().item<bool>());
  CHECK(((negative - 500).abs() < 6 * 19.4).all().item<bool>());
}

}  // namespace sampler_test
