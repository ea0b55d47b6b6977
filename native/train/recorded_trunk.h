#pragma once

#include <torch/types.h>

#include <list>
#include <vector>

#include "train/trunk.h"
#include "train/trunk_recording.h"

namespace cellroute::train {

/** run_trunk() for one network in training. On a GPU, the forward and backward pass of the trunk
 *  are recorded for batch sizes that recur: the two thousand launches of a step cost more time
 *  than the kernels. The next step overwrites the outputs. */
class RecordedTrunk {
 public:
  TrunkOutputs operator()(model::MaskRcnn& network, const torch::Tensor& batch,
                          const model::Progress& progress);

  /** Frees the recordings and makes no more. Returns false if there was none. */
  bool disable();

 private:
  /** A batch size and its recording. */
  struct Size {
    std::vector<int64_t> shape;
    int uses = 0;
    c10::intrusive_ptr<TrunkRecording> recording;
  };

  std::list<Size> sizes_;  // most recently used first
  bool fits_ = true;
};

}  // namespace cellroute::train
