#include "train/trainable.h"

#include <algorithm>
#include <array>
#include <string>

namespace cellroute::train {

void set_trainable_layers(torch::nn::Module& resnet, int64_t layers) {
  static const std::array<std::string, 5> kStagesFromLast{"layer4.", "layer3.", "layer2.",
                                                          "layer1.", "conv1."};
  TORCH_CHECK(layers >= 0 && layers <= 5, "trainable layers must be 0 to 5, got ", layers);
  for (const auto& item : resnet.named_parameters()) {
    const auto starts_with = [&](const std::string& stage) {
      return item.key().compare(0, stage.size(), stage) == 0;
    };
    // The first norm trains with everything else or not at all.
    const bool trains =
        std::any_of(kStagesFromLast.begin(), kStagesFromLast.begin() + layers, starts_with) ||
        (layers == 5 && starts_with("bn1."));
    item.value().set_requires_grad(trains);
  }
}

void set_training(torch::nn::Module& network, bool update) {
  network.train();
  if (update) return;
  for (const auto& module : network.modules()) {
    if (module->as<torch::nn::BatchNorm2d>() || module->as<torch::nn::BatchNorm1d>()) {
      module->eval();
    }
  }
}

void set_trainable(model::MaskRcnn& network, int64_t trainable_layers,
                   bool update_batch_statistics) {
  for (auto& parameter : network->parameters()) parameter.set_requires_grad(true);
  set_trainable_layers(*network->backbone()->body(), trainable_layers);
  set_training(*network, update_batch_statistics);
}

}  // namespace cellroute::train
