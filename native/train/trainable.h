#pragma once

#include "model/mask_rcnn.h"
#include "nn.h"

namespace cellroute::train {

/** Selects the stages of a ResNet that have gradients: the last `layers` (0 to 5) of conv1 (with
 *  bn1), layer1, layer2, layer3, layer4. As in torchvision's trainable_backbone_layers, stages
 *  that the network does not have are counted too. */
void set_trainable_layers(torch::nn::Module& resnet, int64_t layers);

/** Sets the network to training mode, its batch norms only if `update` is true: otherwise they
 *  keep their loaded statistics, while their weights and biases still train. */
void set_training(torch::nn::Module& network, bool update);

/** Both for a Mask R-CNN, whose pyramid and heads always train. */
void set_trainable(model::MaskRcnn& network, int64_t trainable_layers,
                   bool update_batch_statistics);

}  // namespace cellroute::train
