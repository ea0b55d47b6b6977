#pragma once

#include <cstdint>
#include <string>
#include <vector>

// What the engine asks of CUDA. gpu.cu answers in an addon with CUDA, absent.cc in one without.
// Nothing here is called before someone asks for a GPU: the first call wakes the driver.
namespace cellroute::cuda {

struct Gpu {
  std::string name;
  int major = 0;  // of its compute capability
  int minor = 0;
  uint64_t bytes = 0;  // of its memory
};

struct Gpus {
  std::vector<Gpu> list;
  std::string problem;  // why there are none, and what cures that
};

/** Whether this addon has kernels for GPUs at all. */
bool is_built_in();

Gpus find_gpus();

/** Why this addon's kernels cannot run on a GPU; empty where they can. Takes the memory of a
 * context on it. */
std::string problem_of(int index);

/** Makes the GPU this thread's, with a stream of its own. */
void enter(int index);

/** Waits for the GPU, and gives its kept memory back to the driver. */
void release_memory(int index) noexcept;

}  // namespace cellroute::cuda
