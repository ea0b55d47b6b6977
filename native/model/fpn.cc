#include "model/fpn.h"

#include "model/conv_block.h"
#include "model/skip_init.h"

namespace cellroute::model {
namespace {

namespace nn = torch::nn;

ConvBlock block(int64_t in, int64_t out, int64_t size) {
  ConvBlock block(in, out, size, Activation::kNone);
  initialize(block->weight(), [](auto& weight) { nn::init::kaiming_uniform_(weight, 1.0); });
  return block;
}

torch::Tensor run(nn::ModuleList& blocks, size_t index, const torch::Tensor& x) {
  return blocks[index]->as<ConvBlock>()->forward(x);
}

}  // namespace

FeaturePyramidNetworkImpl::FeaturePyramidNetworkImpl(const std::vector<int64_t>& in_channels,
                                                     int64_t out_channels, bool extra_level)
    : inner_blocks_(register_module("inner_blocks", nn::ModuleList())),
      layer_blocks_(register_module("layer_blocks", nn::ModuleList())),
      extra_level_(extra_level) {
  for (const int64_t channels : in_channels) {
    inner_blocks_->push_back(block(channels, out_channels, 1));
    layer_blocks_->push_back(block(out_channels, out_channels, 3));
  }
}

std::vector<torch::Tensor> FeaturePyramidNetworkImpl::forward(
    const std::vector<torch::Tensor>& maps) {
  TORCH_CHECK(!maps.empty() && maps.size() == inner_blocks_->size(), "a pyramid of ",
              inner_blocks_->size(), " levels received ", maps.size(), " maps");
  std::vector<torch::Tensor> levels(maps.size());
  torch::Tensor top_down;
  for (size_t i = maps.size(); i-- > 0;) {
    auto lateral = run(inner_blocks_, i, maps[i]);
    if (top_down.defined()) {
      lateral = lateral + torch::upsample_nearest2d(top_down, lateral.sizes().slice(2));
    }
    top_down = lateral;
    levels[i] = run(layer_blocks_, i, top_down);
  }
  if (extra_level_) levels.push_back(torch::max_pool2d(levels.back(), 1, 2));
  return levels;
}

}  // namespace cellroute::model
