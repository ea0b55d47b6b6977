#pragma once

#include <functional>
#include <memory>

namespace cellroute::cuda {

/** Work of a GPU that was recorded once and is started whole: hundreds of launches for the price of
 *  one. Tensors that the work made keep their place, and each replay fills them anew. */
class Graph {
 public:
  virtual ~Graph() = default;

  /** Records what `work` has this thread's GPU do, without doing it. It must have run once before,
   *  so that libraries are ready; it may not wait for the GPU, and its shapes may not depend on
   *  values. */
  static std::unique_ptr<Graph> record(const std::function<void()>& work);

  virtual void replay() = 0;

 protected:
  Graph() = default;
};

/** Whether recordings are to be made: not where CELLROUTE_CUDA_GRAPHS is 0. */
bool graphs_wanted();

}  // namespace cellroute::cuda
