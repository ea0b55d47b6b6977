#pragma once

#include <torch/custom_class.h>
#include <torch/types.h>

#include <memory>
#include <vector>

#include "engine/cuda/graph.h"
#include "train/trunk.h"

namespace cellroute::train {

/** The trunk for one batch size, recorded forward and backward on this thread's GPU. */
class TrunkRecording final : public torch::CustomClassHolder {
 public:
  /** Records without running. Throws c10::OutOfMemoryError. */
  TrunkRecording(model::MaskRcnn& network, const torch::Tensor& batch);

  /** The trunk's outputs as an autograd node whose backward pass replays the recording. */
  TrunkOutputs run(const torch::Tensor& batch);

  /** Replays one pass. The next replay overwrites the outputs. */
  torch::autograd::variable_list forward(const torch::Tensor& batch);
  torch::autograd::variable_list backward(const torch::autograd::variable_list& grads);

 private:
  size_t levels_ = 0;
  std::vector<torch::Tensor> parameters_;  // the parameters that train
  torch::Tensor batch_;
  std::vector<torch::Tensor> outputs_, output_grads_, parameter_grads_;
  std::unique_ptr<cuda::Graph> forward_, backward_;
};

}  // namespace cellroute::train
