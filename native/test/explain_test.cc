#include "infer/explain.h"

#include <numeric>

#include "errors.h"
#include "tensors.h"

namespace explain_test {

using namespace cellroute;
using cellroute::test::code_of;

namespace {

model::Classifier small() {
  model::ClassifierConfig config;
  config.backbone = {.depth = 18, .width = 4, .norm = {.kind = model::NormKind::kBatch}};
  config.num_classes = 3;
  config.normalize = {.mean = {0.5, 0.5, 0.5}, .std = {0.25, 0.25, 0.25}};
  model::Classifier network(config);
  network->eval();
  return network;
}

}  // namespace

TEST_CASE("explain: parameters get no gradients and keep requires_grad") {
  torch::manual_seed(3);
  auto network = small();
  network->parameters()[0].set_requires_grad(false);
  const auto input = torch::rand({1, 3, 40, 33});
  for (const auto method : {infer::ExplainMethod::kIntegratedGradients,
                            infer::ExplainMethod::kOcclusion, infer::ExplainMethod::kGradCam}) {
    const auto found = infer::explain(network, input,
                                      {.method = method, .steps = 3, .patch = 16, .stride = 8}, {});
    CHECK(found.values.size() == 40 * 33);
    const auto parameters = network->parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      CHECK_FALSE(parameters[i].grad().defined());
      CHECK(parameters[i].requires_grad() == (i > 0));
    }
  }
}

TEST_CASE("explain: the baseline is the mean or black, and its own explanation is zero") {
  torch::manual_seed(4);
  auto network = small();
  const torch::NoGradGuard no_grad;
  for (const auto baseline : {infer::Baseline::kMean, infer::Baseline::kBlack}) {
    const auto input = torch::full({1, 3, 32, 32}, baseline == infer::Baseline::kMean ? 0.0 : -2.0);
    const auto found = infer::explain(
        network, input,
        {.method = infer::ExplainMethod::kIntegratedGradients, .baseline = baseline, .steps = 2},
        {});
    CHECK(found.logits == found.baseline_logits);
    CHECK(std::accumulate(found.values.begin(), found.values.end(), 0.0F) == 0.0F);
  }
}

TEST_CASE("explain: a class that does not exist") {
  auto network = small();
  CHECK(code_of([&] { infer::explain(network, torch::rand({1, 3, 32, 32}), {.target = 3}, {}); }) ==
        "INVALID_ARGUMENT");
}

}  // namespace explain_test
