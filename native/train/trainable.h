#pragma once

#include <torch/torch.h>

#include "model/mask_rcnn.h"

namespace cellroute::train {

/** Which stages of a ResNet have gradients: the last `layers` of conv1 (with bn1), layer1, layer2,
 *  layer3, layer4; 0 to 5. A stage that the network does not have counts as well, as it does for
 *  torchvision's trainable_backbone_layers. */
void set_trainable_layers(torch::nn::Module& resnet, int64_t layers);

/** Puts the network into training mode, its batch norms only where `update` says so: otherwise they
 *  keep the statistics they came with, while their weights and biases still train. */
void set_training(torch::nn::Module& network, bool update);

/** Both for a Mask R-CNN: the pyramid and the heads always train. */
void set_trainable(model::MaskRcnn& network, int64_t trainable_layers,
                   bool update_batch_statistics);

}  // namespace cellroute::train
