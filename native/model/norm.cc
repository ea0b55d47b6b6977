#include "model/norm.h"

#include "error.h"

namespace cellroute::model {

FrozenBatchNorm2dImpl::FrozenBatchNorm2dImpl(int64_t channels, double eps)
    : weight_(register_buffer("weight", torch::ones(channels))),
      bias_(register_buffer("bias", torch::zeros(channels))),
      running_mean_(register_buffer("running_mean", torch::zeros(channels))),
      running_var_(register_buffer("running_var", torch::ones(channels))),
      eps_(eps) {}

Affine FrozenBatchNorm2dImpl::affine() const {
  const auto scale = weight_ * (running_var_ + eps_).rsqrt();
  return {scale, bias_ - running_mean_ * scale};
}

torch::Tensor FrozenBatchNorm2dImpl::forward(const torch::Tensor& x) {
  const auto [scale, shift] = affine();
  return (x * scale.view({1, -1, 1, 1})).add_(shift.view({1, -1, 1, 1}));
}

torch::nn::AnyModule make_norm(const NormConfig& config, int64_t channels) {
  switch (config.kind) {
    case NormKind::kFrozenBatch:
      return torch::nn::AnyModule(FrozenBatchNorm2d(channels, config.eps));
    case NormKind::kBatch:
      return torch::nn::AnyModule(
          torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(channels).eps(config.eps)));
    case NormKind::kGroup:
      if (config.groups < 1 || channels % config.groups != 0) {
        throw Error("INVALID_CONFIG", "Group norm: " + std::to_string(channels) +
                                          " channels do not divide into " +
                                          std::to_string(config.groups) + " groups");
      }
      return torch::nn::AnyModule(torch::nn::GroupNorm(
          torch::nn::GroupNormOptions(config.groups, channels).eps(config.eps)));
  }
  throw Error("INVALID_CONFIG", "Unknown kind of norm");
}

}  // namespace cellroute::model
