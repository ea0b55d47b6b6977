#pragma once

#include "model/config.h"
#include "nn.h"

namespace cellroute::model {

/** x -> x * scale + shift per channel; both are [channels]. */
struct Affine {
  torch::Tensor scale;
  torch::Tensor shift;
};

/** Batch norm with fixed statistics and a fixed affine map, all stored as buffers:
 *  torchvision.ops.FrozenBatchNorm2d. Maps [N, C, H, W] to the same shape. */
class FrozenBatchNorm2dImpl : public torch::nn::Module {
 public:
  FrozenBatchNorm2dImpl(int64_t channels, double eps);

  torch::Tensor forward(const torch::Tensor& x);

  /** The equivalent affine map. */
  Affine affine() const;

 private:
  torch::Tensor weight_, bias_, running_mean_, running_var_;
  double eps_;
};
TORCH_MODULE(FrozenBatchNorm2d);

/** The norm named by a configuration, over [N, channels, H, W]. */
torch::nn::AnyModule make_norm(const NormConfig& config, int64_t channels);

}  // namespace cellroute::model
