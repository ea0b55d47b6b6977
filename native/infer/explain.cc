#include "infer/explain.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <string>

#include "infer/vectors.h"
#include "model/device_of.h"
#include "model/transform.h"

namespace cellroute::infer {
namespace {

/** Pixels per batch of occluded inputs. */
constexpr int64_t kBatchPixels = 262'144;  // 512 x 512

/** Saves and restores requires_grad of a module's parameters: a loaded network's parameters
 *  require gradients, and keeping what those need would cost memory and time. */
class WithoutParameterGradients {
 public:
  explicit WithoutParameterGradients(torch::nn::Module& module) {
    for (auto& parameter : module.parameters()) {
      if (!parameter.requires_grad()) continue;
      parameter.set_requires_grad(false);
      parameters_.push_back(parameter);
    }
  }
  ~WithoutParameterGradients() {
    for (auto& parameter : parameters_) parameter.set_requires_grad(true);
  }
  WithoutParameterGradients(const WithoutParameterGradients&) = delete;
  WithoutParameterGradients& operator=(const WithoutParameterGradients&) = delete;

 private:
  std::vector<torch::Tensor> parameters_;
};

/** Gradient of the target's logit with respect to `x`; `logits` computes the logits of x. */
template <typename Logits>
torch::Tensor gradient(const torch::Tensor& x, int64_t target, Logits logits) {
  const torch::AutoGradMode grad(true);
  const auto leaf = x.detach().requires_grad_();
  return torch::autograd::grad({logits(leaf).select(1, target).sum()}, {leaf})[0];
}

torch::Tensor baseline_of(const model::Classifier& network, const torch::Tensor& input,
                          Baseline baseline) {
  const auto zeros = torch::zeros_like(input);
  return baseline == Baseline::kMean ? zeros : model::normalize(zeros, network->config().normalize);
}

/** [H, W] */
torch::Tensor integrated_gradients(model::Classifier network, const torch::Tensor& input,
                                   const torch::Tensor& baseline, int64_t target, int64_t steps,
                                   const JobContext& poll) {
  const auto path = input - baseline;
  auto sum = torch::zeros_like(input, torch::kFloat64);
  for (int64_t step = 0; step < steps; ++step) {
    poll("integrated gradients", static_cast<double>(step) / static_cast<double>(steps));
    const double at = (static_cast<double>(step) + 0.5) / static_cast<double>(steps);
    sum += gradient(baseline + path * at, target,
                    [&](const torch::Tensor& x) { return network->forward(x); });
  }
  return (path * (sum / static_cast<double>(steps))).sum(at::IntArrayRef({0, 1}));
}

/** Start positions of squares along a side. The last square ends at the side's end. */
std::vector<int64_t> starts(int64_t length, int64_t patch, int64_t stride) {
  std::vector<int64_t> result{0};
  while (result.back() + patch < length) result.push_back(result.back() + stride);
  return result;
}

/** [H, W] */
torch::Tensor occlusion(model::Classifier network, const torch::Tensor& input,
                        const torch::Tensor& baseline, int64_t target,
                        const ExplainOptions& options, float logit, const JobContext& poll) {
  struct Square {
    int64_t top;
    int64_t left;
  };
  const auto height = input.size(2), width = input.size(3);
  std::vector<Square> squares;
  for (const auto top : starts(height, options.patch, options.stride)) {
    for (const auto left : starts(width, options.patch, options.stride)) {
      squares.push_back({.top = top, .left = left});
    }
  }
  const auto inside = [&](const torch::Tensor& tensor, const Square& square) {
    return tensor.slice(-2, square.top, std::min(square.top + options.patch, height))
        .slice(-1, square.left, std::min(square.left + options.patch, width));
  };
  auto sum = torch::zeros({height, width}, torch::kFloat64);
  auto covers = torch::zeros({height, width}, torch::kFloat64);
  const auto per_pass = static_cast<size_t>(std::max<int64_t>(1, kBatchPixels / (height * width)));
  for (size_t begin = 0; begin < squares.size(); begin += per_pass) {
    poll("occlusion", static_cast<double>(begin) / static_cast<double>(squares.size()));
    const auto count = std::min(per_pass, squares.size() - begin);
    const auto covered = input.repeat({static_cast<int64_t>(count), 1, 1, 1});
    for (size_t i = 0; i < count; ++i) {
      const auto& square = squares[begin + i];
      inside(covered[static_cast<int64_t>(i)], square).copy_(inside(baseline[0], square));
    }
    const auto logits = network->forward(covered);
    for (size_t i = 0; i < count; ++i) {
      const auto& square = squares[begin + i];
      inside(sum, square) += logit - logits[static_cast<int64_t>(i)][target].item<double>();
      inside(covers, square) += 1;
    }
  }
  return sum / covers;
}

/** [H, W] */
torch::Tensor grad_cam(model::Classifier network, const torch::Tensor& input, int64_t target,
                       const JobContext& poll) {
  poll("Grad-CAM", 0.3);
  const auto features = network->layers(input).back();
  poll("Grad-CAM", 0.8);
  const auto weights = gradient(features, target, [&](const torch::Tensor& x) {
                         return network->head(x);
                       }).mean({2, 3}, /*keepdim=*/true);
  const auto map = (weights * features).sum(1, /*keepdim=*/true).relu();
  return torch::upsample_bilinear2d(map, input.sizes().slice(2), /*align_corners=*/false)
      .squeeze(0)
      .squeeze(0);
}

std::vector<float> floats_of(const torch::Tensor& tensor) {
  return to_vector<float>(tensor, torch::kFloat32);
}

}  // namespace

Explanation explain(const model::Classifier& network, const torch::Tensor& given,
                    const ExplainOptions& options, const JobContext& poll) {
  const torch::NoGradGuard no_grad;
  poll("classify", 0.0);
  auto model = network;
  const WithoutParameterGradients without(*model);
  const auto input = given.to(model::device_of(*network));
  const auto baseline = baseline_of(model, input, options.baseline);
  Explanation result{.height = input.size(2),
                     .width = input.size(3),
                     .values = {},
                     .logits = {},
                     .baseline_logits = {}};
  result.logits = floats_of(model->forward(input));
  result.baseline_logits = floats_of(model->forward(baseline));
  const auto highest = std::ranges::max_element(result.logits) - result.logits.begin();
  result.target = options.target.value_or(highest);
  if (result.target < 0 || result.target >= static_cast<int64_t>(result.logits.size())) {
    throw Error("INVALID_ARGUMENT", "There is no class " + std::to_string(result.target));
  }
  const auto values = [&] {
    switch (options.method) {
      case ExplainMethod::kIntegratedGradients:
        return integrated_gradients(model, input, baseline, result.target, options.steps, poll);
      case ExplainMethod::kOcclusion:
        return occlusion(model, input, baseline, result.target, options,
                         result.logits[static_cast<size_t>(result.target)], poll);
      case ExplainMethod::kGradCam:
        return grad_cam(model, input, result.target, poll);
    }
    throw Error("INVALID_ARGUMENT", "Unknown method");
  };
  result.values = floats_of(values());
  poll("done", 1.0);
  return result;
}

}  // namespace cellroute::infer
