#include "model/classifier.h"

#include "tensors.h"

namespace classifier_test {

using namespace cellroute::model;

namespace {

ClassifierConfig small(ClassifierHead head) {
  ClassifierConfig config;
  config.backbone = {.depth = 18, .width = 4, .norm = {.kind = NormKind::kBatch}};
  config.head = head;
  config.head_hidden = 6;
  config.num_classes = 3;
  config.normalize = {.mean = {0, 0, 0}, .std = {1, 1, 1}};
  return config;
}

}  // namespace

TEST_CASE("classifier: mean over the map and one linear layer") {
  Classifier network(small(ClassifierHead::kLinear));
  network->eval();
  const torch::NoGradGuard no_grad;
  for (const int64_t size : {1, 33, 64}) {
    const auto x = torch::rand({2, 3, size, size});
    const auto parameters = network->named_parameters();
    const auto features = network->layers(x).back().mean({2, 3});
    const auto expected = features.matmul(parameters["fc.weight"].t()) + parameters["fc.bias"];
    CHECK(torch::allclose(network(x), expected, 1e-5, 1e-6));
  }
}

TEST_CASE("classifier: fastai's head over maximum and mean, with fastai's layer numbers") {
  Classifier network(small(ClassifierHead::kConcatPool));
  const torch::NoGradGuard no_grad;
  for (auto& item : network->named_buffers()) {
    if (item.value().is_floating_point()) item.value().uniform_(0.5, 1.5);
  }
  network->eval();
  auto state = network->named_parameters();
  state.update(network->named_buffers());
  const auto norm = [&](const torch::Tensor& x, const std::string& at) {
    return (x - state[at + ".running_mean"]) / (state[at + ".running_var"] + 1e-5).sqrt() *
               state[at + ".weight"] +
           state[at + ".bias"];
  };
  const auto x = torch::rand({2, 3, 40, 50});
  const auto map = network->layers(x).back();
  auto expected = torch::cat({map.amax({2, 3}), map.mean({2, 3})}, 1);
  expected = norm(expected, "head.2").matmul(state["head.4.weight"].t()).relu();
  expected = norm(expected, "head.6").matmul(state["head.8.weight"].t());
  CHECK(torch::allclose(network(x), expected, 1e-4, 1e-5));
  CHECK_FALSE(state.contains("head.4.bias"));
  CHECK_FALSE(state.contains("head.8.bias"));
}

}  // namespace classifier_test
