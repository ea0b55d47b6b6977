#include "model/skip_init.h"

namespace cellroute::model {
namespace {

namespace nn = torch::nn;

thread_local bool skip_init = false;

/** LibTorch's constructors always draw; a layer with one weight draws one number. */
template <typename Layer>
Layer resized(Layer layer, at::IntArrayRef weight, int64_t bias) {
  layer->weight.set_data(torch::empty(weight));
  if (layer->bias.defined()) layer->bias.set_data(torch::empty({bias}));
  return layer;
}

/** Creates a convolution whose weight starts with the two given dimensions. */
template <typename Layer, typename Options>
Layer uninitialized_conv(const Options& options, int64_t first, int64_t second) {
  auto small = options;
  Layer layer(small.in_channels(1).out_channels(1).kernel_size(1));
  const auto& kernel = *options.kernel_size();
  layer->options.in_channels(options.in_channels())
      .out_channels(options.out_channels())
      .kernel_size(options.kernel_size());
  return resized(layer, {first, second, kernel[0], kernel[1]}, options.out_channels());
}

}  // namespace

SkipInit::SkipInit() : outer_(skip_init) { skip_init = true; }
SkipInit::~SkipInit() { skip_init = outer_; }
bool SkipInit::is_active() { return skip_init; }

nn::Conv2d make_conv2d(const nn::Conv2dOptions& options) {
  if (!skip_init) return nn::Conv2d(options);
  return uninitialized_conv<nn::Conv2d>(options, options.out_channels(), options.in_channels());
}

nn::ConvTranspose2d make_conv_transpose2d(const nn::ConvTranspose2dOptions& options) {
  if (!skip_init) return nn::ConvTranspose2d(options);
  return uninitialized_conv<nn::ConvTranspose2d>(options, options.in_channels(),
                                                 options.out_channels());
}

nn::Linear make_linear(const nn::LinearOptions& options) {
  if (!skip_init) return nn::Linear(options);
  nn::Linear layer(nn::LinearOptions(1, 1).bias(options.bias()));
  layer->options = options;
  return resized(layer, {options.out_features(), options.in_features()}, options.out_features());
}

}  // namespace cellroute::model
