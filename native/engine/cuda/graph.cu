#include "engine/cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>

#include <exception>

namespace cellroute::cuda {
namespace {

class RecordedGraph final : public Graph {
 public:
  explicit RecordedGraph(const std::function<void()>& work) {
    // Only for this thread: threads of other GPUs may allocate meanwhile.
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      // Otherwise the stream would continue to record.
      abandon();
      throw;
    }
    graph_.capture_end();
  }

  void replay() override { graph_.replay(); }

 private:
  void abandon() noexcept {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {
      (void)cudaGetLastError();
    }
  }

  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<Graph> Graph::record(const std::function<void()>& work) {
  return std::make_unique<RecordedGraph>(work);
}

}  // namespace cellroute::cuda
