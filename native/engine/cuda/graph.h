#pragma once

#include <functional>
#include <memory>

namespace cellroute::cuda {

/** Work of a GPU that was recorded once and is started as a whole: hundreds of launches at the cost
 *  of one. Tensors that the work made keep their memory, and each replay fills them again. */
class Graph {
 public:
  virtual ~Graph() = default;

  /** Records what `work` launches on this thread's GPU, without running it. It must have run once
   *  before, so that libraries are initialised. It must not wait for the GPU, and its shapes must
   *  not depend on values. */
  static std::unique_ptr<Graph> record(const std::function<void()>& work);

  virtual void replay() = 0;

 protected:
  Graph() = default;
};

/** Whether recordings are made: not if CELLROUTE_CUDA_GRAPHS is 0. */
bool graphs_enabled();

}  // namespace cellroute::cuda
