#include "train/trunk.h"

#include <utility>

#include "model/convolution.h"

namespace cellroute::train {

TrunkOutputs run_trunk(model::MaskRcnn& network, const torch::Tensor& batch,
                       const model::Progress& progress) {
  const auto layout = model::has_batch_statistics(*network) ? at::MemoryFormat::Contiguous
                                                            : at::MemoryFormat::ChannelsLast;
  auto levels = network->backbone()(batch.contiguous(layout), progress);
  auto predictions = network->rpn()->head()(levels);
  return {std::move(levels), std::move(predictions)};
}

}  // namespace cellroute::train
