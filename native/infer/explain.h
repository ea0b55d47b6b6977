#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/job.h"
#include "model/classifier.h"

namespace cellroute::infer {

enum class ExplainMethod : uint8_t {
  kIntegratedGradients,  // Sundararajan, Taly, Yan 2017
  kOcclusion,            // Zeiler, Fergus 2014
  kGradCam,              // Selvaraju et al. 2017
};

/** The baseline image, before normalisation. */
enum class Baseline : uint8_t {
  kMean,   // the configuration's mean in every pixel: zeros once normalised
  kBlack,  // zeros
};

struct ExplainOptions {
  ExplainMethod method = ExplainMethod::kIntegratedGradients;
  /** The class whose logit is explained; without a value, the class with the highest logit. */
  std::optional<int64_t> target = std::nullopt;
  Baseline baseline = Baseline::kMean;
  /** kIntegratedGradients: number of points along the path, each at the centre of its interval. */
  int64_t steps = 32;
  /** kOcclusion: side and stride of the square that the baseline covers. */
  int64_t patch = 32;
  int64_t stride = 16;
};

/** The contribution of each pixel of the network's input to the target (positive) or against it. */
struct Explanation {
  int64_t target = 0;
  int64_t height = 0;
  int64_t width = 0;
  /** [height * width], row-major. kIntegratedGradients: the sum of the three channels; all
   *  pixels sum to the difference between the logits of input and baseline. kOcclusion: the
   *  decrease of the logit, averaged over the squares that cover the pixel. kGradCam: not
   *  negative, the last layer's map enlarged bilinearly. */
  std::vector<float> values;
  std::vector<float> logits;
  std::vector<float> baseline_logits;
};

/** `input` [1, 3, H, W] is normalised. The network's parameters receive no gradients. */
Explanation explain(const model::Classifier& network, const torch::Tensor& input,
                    const ExplainOptions& options, const JobContext& poll);

}  // namespace cellroute::infer
