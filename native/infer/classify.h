#pragma once

#include <torch/types.h>

#include <vector>

#include "engine/job.h"
#include "io/pixels.h"
#include "model/classifier.h"

namespace cellroute::infer {

/** One value per class, in the network's order. */
struct Classification {
  std::vector<float> logits;
  std::vector<float> probabilities;
};

/** The network input [1, 3, H, W] made from an image. */
torch::Tensor prepare(const model::ClassifierConfig& config, const io::Image& image,
                      const io::Intensity& intensity, torch::Device device = torch::kCPU);

/** One image: resized, scaled and normalised as configured. */
Classification classify(const model::Classifier& network, const io::Image& image,
                        const io::Intensity& intensity, const JobContext& poll);

/** A network input [1, 3, H, W] that is already normalised. */
Classification classify_tensor(const model::Classifier& network, const torch::Tensor& input,
                               const JobContext& poll);

}  // namespace cellroute::infer
