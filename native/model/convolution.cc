#include "model/convolution.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

#include <algorithm>
#include <optional>

#include "engine/cancel.h"
#include "error.h"
#include "model/norm.h"
#include "ops/conv_relu.h"
#include "ops/winograd_conv.h"

namespace cellroute::model {
namespace {

namespace nn = torch::nn;

std::optional<Affine> fixed_affine(nn::Module& norm) {
  if (const auto* frozen = norm.as<FrozenBatchNorm2d>()) return frozen->affine();
  const auto* batch = norm.as<nn::BatchNorm2d>();
  if (batch == nullptr || batch->is_training()) return std::nullopt;
  const auto scale = batch->weight * (batch->running_var + batch->options.eps()).rsqrt();
  return Affine{scale, batch->bias - batch->running_mean * scale};
}

/** Whether Winograd's algorithm applies and is faster: 3x3 with stride 1, in float32. Training
 *  supports it in large tiles only. */
bool is_minimal(const nn::Conv2dImpl& conv, const torch::Tensor& x) {
  const auto is = [](const auto& sides, int64_t value) {
    return sides->at(0) == value && sides->at(1) == value;
  };
  const auto& options = conv.options;
  return is(options.kernel_size(), 3) && is(options.stride(), 1) &&
         is(std::get<torch::ExpandingArray<2>>(options.padding()), 1) && x.is_cpu() &&
         x.scalar_type() == torch::kFloat32 && x.numel() > 0 &&
         !at::autocast::is_autocast_enabled(at::kCPU) &&
         ops::fastest_winograd_side(options.in_channels(), options.out_channels(),
                                    torch::kFloat32) == 4;
}

/** Whether cuDNN may run convolution and ReLU in one kernel. It selects any algorithm, so not
 *  where deterministic ones are required. */
bool has_fused_conv_relu(const torch::Tensor& x) {
  return x.is_cuda() && x.scalar_type() == torch::kFloat32 &&
         !at::autocast::is_autocast_enabled(at::kCUDA) && !at::globalContext().deterministicCuDNN();
}

torch::Tensor add_and_rectify(const torch::Tensor& out, const torch::Tensor& residual) {
  if (residual.defined()) out.add_(residual);
  return out.relu_();
}

/** A convolution's result whose backward pass first checks for cancellation. A GPU's backward pass
 *  runs on another thread, which has nothing to check. */
torch::Tensor cancellable_in_backward(torch::Tensor result) {
  if (result.is_cpu() && result.requires_grad()) {
    result.register_hook([](const torch::Tensor&) { throw_if_cancelled(); });
  }
  return result;
}

/** Whether the channels of [N, C, H, W] have more than one value each. */
bool has_variance(const torch::Tensor& map) { return map.numel() > map.size(1); }

/** A batch norm in training with its running statistics, for maps without a variance, which torch
 *  refuses: those of one small image. The statistics are not changed. */
torch::Tensor normalize_by_running(const nn::BatchNorm2dImpl& norm, const torch::Tensor& map) {
  return torch::batch_norm(map, norm.weight, norm.bias, norm.running_mean, norm.running_var,
                           /*training=*/false, /*momentum=*/0.0, norm.options.eps(),
                           /*cudnn_enabled=*/true);
}

torch::Tensor convolve_directly(const nn::Conv2dImpl& conv, const torch::Tensor& x,
                                const torch::Tensor& weight, const torch::Tensor& bias) {
  throw_if_cancelled();
  return cancellable_in_backward(
      torch::conv2d(x, weight, bias, conv.options.stride(),
                    std::get<torch::ExpandingArray<2>>(conv.options.padding())));
}

}  // namespace

torch::Tensor convolve(const nn::Conv2dImpl& conv, const torch::Tensor& x,
                       const torch::Tensor& weight, const torch::Tensor& bias) {
  if (!is_minimal(conv, x)) return convolve_directly(conv, x, weight, bias);
  return cancellable_in_backward(ops::winograd_conv(x, weight, bias));
}

torch::Tensor convolve_and_rectify(const nn::Conv2dImpl& conv, const torch::Tensor& x,
                                   const torch::Tensor& weight, const torch::Tensor& bias,
                                   const torch::Tensor& residual) {
  if (has_fused_conv_relu(x)) {
    return ops::conv_relu(x, weight, bias, residual, conv.options.stride()->at(0),
                          std::get<torch::ExpandingArray<2>>(conv.options.padding())->at(0));
  }
  return add_and_rectify(convolve(conv, x, weight, bias), residual);
}

torch::Tensor convolve_and_normalize(const nn::Conv2dImpl& conv, nn::Module& norm,
                                     const torch::Tensor& x) {
  if (const auto affine = fixed_affine(norm)) {
    return convolve(conv, x, conv.weight * affine->scale.view({-1, 1, 1, 1}), affine->shift);
  }
  if (auto* group = norm.as<nn::GroupNorm>()) {
    return group->forward(convolve(conv, x, conv.weight, conv.bias));
  }
  if (auto* batch = norm.as<nn::BatchNorm2d>()) {
    // Maps keep their layout: see has_batch_statistics.
    const auto map = convolve_directly(conv, x, conv.weight, conv.bias);
    return has_variance(map) ? batch->forward(map) : normalize_by_running(*batch, map);
  }
  throw Error("INVALID_CONFIG", "Unknown kind of norm");
}

torch::Tensor convolve_normalize_and_rectify(const nn::Conv2dImpl& conv, nn::Module& norm,
                                             const torch::Tensor& x,
                                             const torch::Tensor& residual) {
  if (const auto affine = fixed_affine(norm)) {
    return convolve_and_rectify(conv, x, conv.weight * affine->scale.view({-1, 1, 1, 1}),
                                affine->shift, residual);
  }
  return add_and_rectify(convolve_and_normalize(conv, norm, x), residual);
}

bool has_batch_statistics(const nn::Module& network) {
  const auto modules = network.modules();
  return std::any_of(modules.begin(), modules.end(), [](const auto& module) {
    const auto* batch = module->template as<nn::BatchNorm2d>();
    return batch != nullptr && batch->is_training();
  });
}

}  // namespace cellroute::model
