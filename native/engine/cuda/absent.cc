#include "engine/cuda/gpu.h"
#include "engine/cuda/graph.h"
#include "engine/cuda/staged_input.h"
#include "error.h"

namespace cellroute::cuda {

bool is_built_in() { return false; }

Gpus find_gpus() {
  return {.list = {},
          .problem =
              "this addon was built without CUDA. Point cellroute at a CUDA LibTorch (the "
              "torch folder of a Python with a CUDA build of torch) by CELLROUTE_LIBTORCH "
              "or loadNative({libtorch}), with the CUDA addon in place: `npx cellroute "
              "doctor` says what is missing"};
}

std::string problem_of(int) { return find_gpus().problem; }

void enter(int) { throw Error("DEVICE_UNAVAILABLE", "This addon was built without CUDA"); }

void release_memory(int) noexcept {}

std::unique_ptr<StagedInput> StagedInput::start(const std::function<at::Tensor()>&) {
  throw Error("DEVICE_UNAVAILABLE", "This addon was built without CUDA");
}

std::unique_ptr<Graph> Graph::record(const std::function<void()>&) {
  throw Error("DEVICE_UNAVAILABLE", "This addon was built without CUDA");
}

}  // namespace cellroute::cuda
