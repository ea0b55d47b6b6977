#include "model/unfilled.h"

namespace cellroute::model {
namespace {

namespace nn = torch::nn;

thread_local bool unfilled = false;

/** LibTorch's constructors draw; one of a layer of one weight draws one number. */
template <typename Layer>
Layer resized(Layer layer, at::IntArrayRef weight, int64_t bias) {
  layer->weight.set_data(torch::empty(weight));
  if (layer->bias.defined()) layer->bias.set_data(torch::empty({bias}));
  return layer;
}

}  // namespace

Unfilled::Unfilled() : outer_(unfilled) { unfilled = true; }
Unfilled::~Unfilled() { unfilled = outer_; }
bool Unfilled::is_wanted() { return unfilled; }

nn::Conv2d make_conv2d(const nn::Conv2dOptions& options) {
  if (!unfilled) return nn::Conv2d(options);
  auto small = options;
  nn::Conv2d layer(small.in_channels(1).out_channels(1).kernel_size(1));
  const int64_t in = options.in_channels(), out = options.out_channels();
  const auto& kernel = *options.kernel_size();
  layer->options.in_channels(in).out_channels(out).kernel_size(options.kernel_size());
  return resized(layer, {out, in, kernel[0], kernel[1]}, out);
}

nn::ConvTranspose2d make_conv_transpose2d(const nn::ConvTranspose2dOptions& options) {
  if (!unfilled) return nn::ConvTranspose2d(options);
  auto small = options;
  nn::ConvTranspose2d layer(small.in_channels(1).out_channels(1).kernel_size(1));
  const int64_t in = options.in_channels(), out = options.out_channels();
  const auto& kernel = *options.kernel_size();
  layer->options.in_channels(in).out_channels(out).kernel_size(options.kernel_size());
  return resized(layer, {in, out, kernel[0], kernel[1]}, out);
}

nn::Linear make_linear(const nn::LinearOptions& options) {
  if (!unfilled) return nn::Linear(options);
  nn::Linear layer(nn::LinearOptions(1, 1).bias(options.bias()));
  layer->options = options;
  return resized(layer, {options.out_features(), options.in_features()}, options.out_features());
}

}  // namespace cellroute::model
