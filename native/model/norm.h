#pragma once

#include <torch/torch.h>

#include "model/config.h"

namespace cellroute::model {

/** x -> x * scale + shift, channel by channel: [channels] each. */
struct Affine {
  torch::Tensor scale;
  torch::Tensor shift;
};

/** Batch norm with fixed statistics and a fixed affine map, all four of them buffers:
 *  torchvision.ops.FrozenBatchNorm2d. [N, C, H, W] in and out. */
class FrozenBatchNorm2dImpl : public torch::nn::Module {
 public:
  FrozenBatchNorm2dImpl(int64_t channels, double eps);

  torch::Tensor forward(const torch::Tensor& x);

  /** What it does. */
  Affine affine() const;

 private:
  torch::Tensor weight_, bias_, running_mean_, running_var_;
  double eps_;
};
TORCH_MODULE(FrozenBatchNorm2d);

/** The norm a configuration names, over [N, channels, H, W]. */
torch::nn::AnyModule make_norm(const NormConfig& config, int64_t channels);

}  // namespace cellroute::model
