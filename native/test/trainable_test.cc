#include "train/trainable.h"

#include <set>
#include <string>

#include "small_network.h"
#include "tensors.h"

namespace trainable_test {

using namespace cellroute;

namespace {

/** Stages of the backbone with gradients, by the first part of their keys. */
std::set<std::string> training_stages(model::MaskRcnn& network) {
  std::set<std::string> stages;
  const std::string prefix = "backbone.body.";
  for (const auto& item : network->named_parameters()) {
    if (item.key().compare(0, prefix.size(), prefix) != 0) {
      CHECK(item.value().requires_grad());
    } else if (item.value().requires_grad()) {
      const auto rest = item.key().substr(prefix.size());
      stages.insert(rest.substr(0, rest.find('.')));
    }
  }
  return stages;
}

}  // namespace

TEST_CASE("trainable: stages are counted from the last, as in torchvision") {
  auto config = test::small_config();
  config.backbone.norm.kind = model::NormKind::kBatch;
  config.returned_layers = {1, 2, 3, 4};
  config.rpn.anchors.sizes.push_back({128});
  config.rpn.anchors.aspect_ratios.push_back({0.5, 1, 2});
  model::MaskRcnn network(config);
  const std::vector<std::set<std::string>> expected{
      {},
      {"layer4"},
      {"layer3", "layer4"},
      {"layer2", "layer3", "layer4"},
      {"layer1", "layer2", "layer3", "layer4"},
      {"bn1", "conv1", "layer1", "layer2", "layer3", "layer4"}};
  for (const int64_t layers : {5, 0, 3, 1, 4, 2}) {
    train::set_trainable(network, layers, true);
    CHECK((training_stages(network) == expected[layers]));
  }
  CHECK_THROWS(train::set_trainable(network, 6, true));
  CHECK_THROWS(train::set_trainable(network, -1, true));
}

TEST_CASE("trainable: a stage that the network lacks is counted") {
  model::MaskRcnn network(test::small_config());  // up to layer3
  train::set_trainable(network, 1, true);
  CHECK(training_stages(network).empty());
  train::set_trainable(network, 2, true);
  CHECK((training_stages(network) == std::set<std::string>{"layer3"}));
}

TEST_CASE("trainable: statistics of batch norms are updated or kept") {
  auto config = test::small_config();
  config.backbone.norm.kind = model::NormKind::kBatch;
  model::MaskRcnn network(config);
  const auto moves = [&](bool update) {
    train::set_trainable(network, 5, update);
    CHECK(network->is_training());
    const auto mean = network->named_buffers()["backbone.body.bn1.running_mean"];
    const auto before = mean.clone();
    network->backbone()(torch::rand({1, 3, 64, 64}));
    return !test::same(mean, before);
  };
  CHECK(moves(true));
  CHECK_FALSE(moves(false));
}

}  // namespace trainable_test
