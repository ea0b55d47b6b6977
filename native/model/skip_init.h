#pragma once

#include "nn.h"

namespace cellroute::model {

/** While it exists, layers created on this thread skip weight initialisation and must be filled
 *  by the caller. Drawing 44 million numbers that are overwritten takes half of the loading
 *  time. Norms are initialised as usual. */
class SkipInit {
 public:
  SkipInit();
  ~SkipInit();
  SkipInit(const SkipInit&) = delete;
  SkipInit& operator=(const SkipInit&) = delete;

  static bool is_active();

 private:
  bool outer_;
};

torch::nn::Conv2d make_conv2d(const torch::nn::Conv2dOptions& options);
torch::nn::ConvTranspose2d make_conv_transpose2d(const torch::nn::ConvTranspose2dOptions& options);
torch::nn::Linear make_linear(const torch::nn::LinearOptions& options);

/** Calls `fill` to initialise a weight, unless initialisation is skipped. */
template <typename Fill>
void initialize(torch::Tensor& weight, Fill fill) {
  if (!SkipInit::is_active()) fill(weight);
}

}  // namespace cellroute::model
