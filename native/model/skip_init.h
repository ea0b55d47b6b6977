#pragma once

#include <torch/torch.h>

namespace cellroute::model {

/** While it lives, this thread makes layers whose weights are whatever the memory held, for who
 *  fills all of them next: drawing 44 million numbers to be overwritten takes half of a load. Norms
 *  begin as ever. */
class SkipInit {
 public:
  SkipInit();
  ~SkipInit();
  SkipInit(const SkipInit&) = delete;
  SkipInit& operator=(const SkipInit&) = delete;

  static bool is_wanted();

 private:
  bool outer_;
};

torch::nn::Conv2d make_conv2d(const torch::nn::Conv2dOptions& options);
torch::nn::ConvTranspose2d make_conv_transpose2d(const torch::nn::ConvTranspose2dOptions& options);
torch::nn::Linear make_linear(const torch::nn::LinearOptions& options);

/** Lets `fill` draw a weight's first values, where they are wanted. */
template <typename Fill>
void initialize(torch::Tensor& weight, Fill fill) {
  if (!SkipInit::is_wanted()) fill(weight);
}

}  // namespace cellroute::model
