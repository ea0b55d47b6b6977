#pragma once

#include <torch/torch.h>

#include "engine/job.h"
#include "io/pixels.h"
#include "model/classifier.h"

namespace cellroute::infer {

/** Logits [classes] of one picture: resized, scaled and normalised as the network's configuration says. */
torch::Tensor classify(const model::Classifier& network, const io::Picture& picture,
                       const io::Intensity& intensity, const Poll& poll);

/** Logits [classes] of a network input [1, 3, H, W], already normalised. */
torch::Tensor classify_tensor(const model::Classifier& network, const torch::Tensor& input,
                              const Poll& poll);

}  // namespace cellroute::infer
