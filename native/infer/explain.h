#pragma once

#include <torch/torch.h>

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

/** What stands for an image that shows nothing, before normalising. */
enum class Baseline : uint8_t {
  kMean,   // the configuration's mean in every pixel: zeros once normalised
  kBlack,  // zeros
};

struct ExplainOptions {
  ExplainMethod method = ExplainMethod::kIntegratedGradients;
  /** The class whose logit is explained; none takes the highest. */
  std::optional<int64_t> target;
  Baseline baseline = Baseline::kMean;
  /** kIntegratedGradients: points of the path, each the middle of its part. */
  int64_t steps = 32;
  /** kOcclusion: side of the square that is covered by the baseline, and how far it moves. */
  int64_t patch = 32;
  int64_t stride = 16;
};

/** What each pixel of the network's input said for the target (above 0) or against it. */
struct Explanation {
  int64_t target = 0;
  int64_t height = 0;
  int64_t width = 0;
  /** [height * width], in rows. kIntegratedGradients: the three channels together, summing to the
   *  difference between the logits of input and baseline. kOcclusion: how far the logit falls, the
   *  mean over the squares that cover the pixel. kGradCam: not below 0, the last layer's map
   *  enlarged bilinearly. */
  std::vector<float> values;
  std::vector<float> logits;
  std::vector<float> baseline_logits;
};

/** `input` [1, 3, H, W] is normalised. The network's parameters keep no gradients. */
Explanation explain(const model::Classifier& network, const torch::Tensor& input,
                    const ExplainOptions& options, const JobContext& poll);

}  // namespace cellroute::infer
