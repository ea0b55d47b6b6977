#include "model/resnet.h"

#include <array>

#include "error.h"
#include "model/convolution.h"
#include "model/norm.h"
#include "model/skip_init.h"

namespace cellroute::model {
namespace {

namespace nn = torch::nn;

nn::Conv2d convolution(int64_t in, int64_t out, int64_t size, int64_t stride) {
  auto conv =
      make_conv2d(nn::Conv2dOptions(in, out, size).stride(stride).padding(size / 2).bias(false));
  initialize(conv->weight, [](auto& weight) {
    nn::init::kaiming_normal_(weight, 0.0, torch::kFanOut, torch::kReLU);
  });
  return conv;
}

nn::AnyModule register_norm(nn::Module& owner, const char* name, const NormConfig& config,
                            int64_t channels) {
  auto norm = make_norm(config, channels);
  owner.register_module(name, norm.ptr());
  return norm;
}

/** The convolution of the shortcut where shapes differ; empty where the input itself is added. */
nn::Sequential register_downsample(nn::Module& owner, int64_t in, int64_t out, int64_t stride,
                                   const NormConfig& norm) {
  if (stride == 1 && in == out) return nullptr;
  nn::Sequential downsample(convolution(in, out, 1, stride));
  downsample->push_back(make_norm(norm, out));
  return owner.register_module("downsample", downsample);
}

/** Convolution, norm, addition of the residual if there is one, and ReLU. */
torch::Tensor run(const nn::Conv2d& conv, const nn::AnyModule& norm, const torch::Tensor& x,
                  const torch::Tensor& residual = {}) {
  return convolve_normalize_and_rectify(*conv, *norm.ptr(), x, residual);
}

torch::Tensor shortcut(const nn::Sequential& downsample, const torch::Tensor& x) {
  if (!downsample) return x;
  return convolve_and_normalize(*downsample->ptr(0)->as<nn::Conv2d>(), *downsample->ptr(1), x);
}

struct Shape {
  bool bottleneck;
  std::array<int64_t, 4> blocks;
};

Shape shape_of(int64_t depth) {
  switch (depth) {
    case 18:
      return {false, {2, 2, 2, 2}};
    case 34:
      return {false, {3, 4, 6, 3}};
    case 50:
      return {true, {3, 4, 6, 3}};
    case 101:
      return {true, {3, 4, 23, 3}};
    default:
      throw Error("INVALID_CONFIG",
                  "A ResNet has 18, 34, 50 or 101 layers, not " + std::to_string(depth));
  }
}

template <typename Block>
nn::Sequential make_layer(int64_t in, int64_t planes, int64_t blocks, int64_t stride,
                          const NormConfig& norm) {
  nn::Sequential layer(Block(in, planes, stride, norm));
  for (int64_t i = 1; i < blocks; ++i) {
    layer->push_back(Block(planes * Block::ContainedType::kExpansion, planes, 1, norm));
  }
  return layer;
}

}  // namespace

BasicBlockImpl::BasicBlockImpl(int64_t in_channels, int64_t planes, int64_t stride,
                               const NormConfig& norm)
    : conv1_(register_module("conv1", convolution(in_channels, planes, 3, stride))),
      conv2_(nullptr) {
  bn1_ = register_norm(*this, "bn1", norm, planes);
  conv2_ = register_module("conv2", convolution(planes, planes, 3, 1));
  bn2_ = register_norm(*this, "bn2", norm, planes);
  downsample_ = register_downsample(*this, in_channels, planes * kExpansion, stride, norm);
}

torch::Tensor BasicBlockImpl::forward(const torch::Tensor& x) {
  const auto out = run(conv1_, bn1_, x);
  return run(conv2_, bn2_, out, shortcut(downsample_, x));
}

BottleneckImpl::BottleneckImpl(int64_t in_channels, int64_t planes, int64_t stride,
                               const NormConfig& norm)
    : conv1_(register_module("conv1", convolution(in_channels, planes, 1, 1))),
      conv2_(nullptr),
      conv3_(nullptr) {
  const int64_t out_channels = planes * kExpansion;
  bn1_ = register_norm(*this, "bn1", norm, planes);
  conv2_ = register_module("conv2", convolution(planes, planes, 3, stride));
  bn2_ = register_norm(*this, "bn2", norm, planes);
  conv3_ = register_module("conv3", convolution(planes, out_channels, 1, 1));
  bn3_ = register_norm(*this, "bn3", norm, out_channels);
  downsample_ = register_downsample(*this, in_channels, out_channels, stride, norm);
}

torch::Tensor BottleneckImpl::forward(const torch::Tensor& x) {
  const auto out = run(conv2_, bn2_, run(conv1_, bn1_, x));
  return run(conv3_, bn3_, out, shortcut(downsample_, x));
}

int64_t resnet_channels(const ResNetConfig& config, int64_t layer) {
  const auto expansion =
      shape_of(config.depth).bottleneck ? BottleneckImpl::kExpansion : BasicBlockImpl::kExpansion;
  return config.width * (int64_t{1} << (layer - 1)) * expansion;
}

ResNetImpl::ResNetImpl(const ResNetConfig& config, int64_t last_layer)
    : conv1_(register_module("conv1", convolution(3, config.width, 7, 2))) {
  if (last_layer < 1 || last_layer > 4) {
    throw Error("INVALID_CONFIG", "A ResNet has layers 1 to 4, not " + std::to_string(last_layer));
  }
  bn1_ = register_norm(*this, "bn1", config.norm, config.width);
  const auto shape = shape_of(config.depth);
  int64_t in = config.width;
  for (int64_t i = 0; i < last_layer; ++i) {
    const int64_t planes = config.width << i;
    const int64_t stride = i == 0 ? 1 : 2;
    auto layer = shape.bottleneck
                     ? make_layer<Bottleneck>(in, planes, shape.blocks[i], stride, config.norm)
                     : make_layer<BasicBlock>(in, planes, shape.blocks[i], stride, config.norm);
    layers_.push_back(register_module("layer" + std::to_string(i + 1), layer));
    in = resnet_channels(config, i + 1);
  }
}

std::vector<torch::Tensor> ResNetImpl::layers(const torch::Tensor& x, const Progress& progress) {
  auto out = torch::max_pool2d(run(conv1_, bn1_, x), 3, 2, 1);
  std::vector<torch::Tensor> outputs;
  for (auto& layer : layers_) {
    out = layer->forward(out);
    outputs.push_back(out);
    if (progress) {
      progress(static_cast<double>(outputs.size()) / static_cast<double>(layers_.size()));
    }
  }
  return outputs;
}

}  // namespace cellroute::model
