#pragma once

#include <torch/torch.h>

#include <list>
#include <vector>

#include "train/trunk.h"
#include "train/trunk_recording.h"

namespace cellroute::train {

/** run_trunk of one network in training. On a GPU the trunk of a batch's size that keeps coming is
 *  recorded, its way there and its way back: a step's two thousand launches cost more than what
 * they start. What a step gets lies where the next step's will. */
class RecordedTrunk {
 public:
  TrunkOutputs operator()(model::MaskRcnn& network, const torch::Tensor& batch,
                          const model::Progress& progress);

  /** Frees the recordings and makes no more; false where there was none. */
  bool give_up();

 private:
  /** A size of batch, and what was made of it. */
  struct Size {
    std::vector<int64_t> shape;
    int seen = 0;
    c10::intrusive_ptr<TrunkRecording> recording;
  };

  std::list<Size> sizes_;  // the last one first
  bool fits_ = true;
};

}  // namespace cellroute::train
