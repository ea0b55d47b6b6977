#include "infer/backbone_plan.h"

#include "engine/cancel.h"

namespace cellroute::infer {
namespace {

Affine conv_of(const State& state, const std::string& conv, const std::string& norm,
               const model::NormConfig& config) {
  if (config.kind == model::NormKind::kGroup) return affine_of(state, conv);
  return folded(state, conv, norm, config.eps);
}

}  // namespace

ConvNorm::ConvNorm(const State& state, const std::string& conv, const std::string& norm,
                   const model::NormConfig& config, int64_t stride, Activation activation,
                   torch::ScalarType compute_dtype)
    : relu_(activation == Activation::kRelu),
      group_(config.kind == model::NormKind::kGroup
                 ? std::optional<Group>({affine_of(state, norm), config.groups, config.eps})
                 : std::nullopt),
      conv_([&] {
        const auto affine = conv_of(state, conv, norm, config);
        return ConvLayer(affine.weight, affine.bias, stride,
                         group_ ? Activation::kNone : activation, compute_dtype);
      }()) {
  if (group_) {
    const auto type = activation_dtype(compute_dtype);
    group_->affine = {group_->affine.weight.to(type), group_->affine.bias.to(type)};
  }
}

torch::Tensor ConvNorm::Group::operator()(const torch::Tensor& maps) const {
  return torch::group_norm(maps, groups, affine.weight, affine.bias, eps);
}

torch::Tensor ConvNorm::operator()(const torch::Tensor& input) const {
  if (!group_) return conv_(input);
  auto result = (*group_)(conv_(input));
  return relu_ ? result.relu_() : result;
}

torch::Tensor ConvNorm::add(const torch::Tensor& input, const torch::Tensor& sum) const {
  if (!group_) return conv_.add(input, sum);
  auto result = (*group_)(conv_(input)).add_(sum);
  return relu_ ? result.relu_() : result;
}

ResNetPlan::Block ResNetPlan::make_block(const State& state, const std::string& key,
                                         const model::ResNetConfig& config, int64_t stride,
                                         torch::ScalarType compute_dtype) {
  Block block;
  const bool bottleneck = state.has(key + ".conv3.weight");
  const int count = bottleneck ? 3 : 2;
  const auto numbered = [&](const char* name, int i) { return key + name + std::to_string(i); };
  const auto shortcut = key + ".downsample.";
  const bool downsamples = state.has(shortcut + "0.weight");
  const bool sums = bottleneck && downsamples && config.norm.kind != model::NormKind::kGroup;
  for (int i = 1; i <= (sums ? count - 1 : count); ++i) {
    // The stride belongs to the 3x3 convolution of a bottleneck, or to the first of two.
    const bool carries_stride = i == (bottleneck ? 2 : 1);
    block.convs.emplace_back(state, numbered(".conv", i), numbered(".bn", i), config.norm,
                             carries_stride ? stride : 1, Activation::kRelu, compute_dtype);
  }
  if (sums) {
    block.sum.emplace(conv_of(state, numbered(".conv", count), numbered(".bn", count), config.norm),
                      conv_of(state, shortcut + "0", shortcut + "1", config.norm), stride,
                      compute_dtype);
  } else if (downsamples) {
    block.downsample.emplace(state, shortcut + "0", shortcut + "1", config.norm, stride,
                             Activation::kNone, compute_dtype);
  }
  return block;
}

ResNetPlan::ResNetPlan(const State& state, const std::string& prefix,
                       const model::ResNetConfig& config, torch::ScalarType compute_dtype)
    : stem_(state, prefix + "conv1", prefix + "bn1", config.norm, 2, Activation::kRelu,
            compute_dtype) {
  for (int layer = 1;; ++layer) {
    const auto key = [&](int block) {
      return prefix + "layer" + std::to_string(layer) + "." + std::to_string(block);
    };
    std::vector<Block> blocks;
    for (int b = 0; state.has(key(b) + ".conv1.weight"); ++b) {
      const int64_t stride = layer > 1 && b == 0 ? 2 : 1;
      blocks.push_back(make_block(state, key(b), config, stride, compute_dtype));
    }
    if (blocks.empty()) return;
    layers_.push_back(std::move(blocks));
  }
}

torch::Tensor ResNetPlan::run(const Block& block, const torch::Tensor& maps) {
  auto inside = maps;
  if (block.sum) {
    for (const auto& conv : block.convs) inside = conv(inside);
    return (*block.sum)(inside, maps);
  }
  // The sum overwrites the shortcut, which nobody else reads. If the input is the output of a
  // layer, there is a downsample convolution and the input stays unchanged.
  const auto shortcut = block.downsample ? (*block.downsample)(maps) : maps;
  for (size_t i = 0; i + 1 < block.convs.size(); ++i) inside = block.convs[i](inside);
  return block.convs.back().add(inside, shortcut);
}

std::vector<torch::Tensor> ResNetPlan::operator()(const torch::Tensor& images,
                                                  const model::Progress& progress) const {
  auto maps = stem_(images);
  throw_if_cancelled();
  maps = torch::max_pool2d(maps, 3, 2, 1);
  std::vector<torch::Tensor> outputs;
  for (const auto& blocks : layers_) {
    for (const auto& block : blocks) {
      maps = run(block, maps);
    }
    outputs.push_back(maps);
    if (progress) {
      progress(static_cast<double>(outputs.size()) / static_cast<double>(layers_.size()));
    }
  }
  return outputs;
}

PyramidPlan::PyramidPlan(const State& state, const std::string& prefix, bool extra_level,
                         torch::ScalarType compute_dtype)
    : extra_level_(extra_level) {
  const auto key = [&](const char* name, int i) {
    return prefix + name + std::to_string(i) + ".0";
  };
  const auto layer = [&](const char* name, int i) {
    const auto affine = affine_of(state, key(name, i));
    return ConvLayer(affine.weight, affine.bias, 1, Activation::kNone, compute_dtype);
  };
  for (int i = 0; state.has(key("inner_blocks.", i) + ".weight"); ++i) {
    inner_.push_back(layer("inner_blocks.", i));
    layer_.push_back(layer("layer_blocks.", i));
  }
}

std::vector<torch::Tensor> PyramidPlan::operator()(std::vector<torch::Tensor> maps) const {
  std::vector<torch::Tensor> levels(maps.size());
  torch::Tensor top_down;
  for (size_t i = maps.size(); i-- > 0;) {
    top_down = top_down.defined() ? inner_[i].add_nearest(maps[i], top_down) : inner_[i](maps[i]);
    // Freed here: no longer needed, and as large as the next result.
    maps[i].reset();
    levels[i] = layer_[i](top_down);
  }
  if (extra_level_) levels.push_back(torch::max_pool2d(levels.back(), 1, 2));
  return levels;
}

}  // namespace cellroute::infer
