#pragma once

#include "model/mask_rcnn.h"

namespace cellroute::test {

/** The smallest Mask R-CNN with every part: no resize, ResNet18 with 8 channels. */
inline model::MaskRcnnConfig small_config() {
  model::MaskRcnnConfig config;
  config.backbone = {.depth = 18, .width = 8, .norm = {}};
  config.returned_layers = {1, 2, 3};
  config.fpn_channels = 8;
  config.num_classes = 3;
  config.normalize = {.mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.25, 0.3}};
  config.rpn.anchors = {.sizes = {{8}, {16}, {32}, {64}},
                        .aspect_ratios = {{0.5, 1, 2}, {0.5, 1, 2}, {0.5, 1, 2}, {0.5, 1, 2}}};
  config.box.hidden = 16;
  config.box.regression_weights = {10, 10, 5, 5};
  config.mask.channels = {8, 8};
  config.mask.hidden = 8;
  return config;
}

}  // namespace cellroute::test
