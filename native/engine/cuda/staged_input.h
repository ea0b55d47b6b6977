#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace cellroute::cuda {

/** A tensor that the GPU makes on a stream of its own, beside what this thread has it compute. */
class StagedInput {
 public:
  virtual ~StagedInput() = default;

  /** Starts `work` on this thread's GPU. */
  static std::unique_ptr<StagedInput> start(const std::function<at::Tensor()>& work);

  /** The tensor, for as long as this lives, on the thread that started it. What the thread starts
   *  from here on waits for the tensor; the host does not. */
  virtual at::Tensor get() = 0;

 protected:
  StagedInput() = default;
};

}  // namespace cellroute::cuda
