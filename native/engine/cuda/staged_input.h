#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace cellroute::cuda {

/** A tensor that the GPU makes on a separate stream, concurrently with this thread's work on it. */
class StagedInput {
 public:
  virtual ~StagedInput() = default;

  /** Starts `work` on this thread's GPU. */
  static std::unique_ptr<StagedInput> start(const std::function<at::Tensor()>& work);

  /** The tensor, valid while this object lives, on the thread that started it. Work that the
   *  thread launches later waits for the tensor; the host does not. */
  virtual at::Tensor get() = 0;

 protected:
  StagedInput() = default;
};

}  // namespace cellroute::cuda
