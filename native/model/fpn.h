#pragma once

#include <vector>

#include "nn.h"

namespace cellroute::model {

/** Feature pyramid network (Lin et al. 2017), torchvision.ops.FeaturePyramidNetwork: a 1x1
 *  convolution per map, plus the coarser map upsampled by nearest neighbour, and a 3x3
 *  convolution over the sum. Keys: inner_blocks.i.0, layer_blocks.i.0. */
class FeaturePyramidNetworkImpl : public torch::nn::Module {
 public:
  /** `extra_level` appends another level: every second pixel of the coarsest output. */
  FeaturePyramidNetworkImpl(const std::vector<int64_t>& in_channels, int64_t out_channels,
                            bool extra_level);

  /** Maps [N, in_channels[i], Hi, Wi], finest first, to [N, out_channels, Hi, Wi]. */
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& maps);

 private:
  torch::nn::ModuleList inner_blocks_, layer_blocks_;
  bool extra_level_;
};
TORCH_MODULE(FeaturePyramidNetwork);

}  // namespace cellroute::model
