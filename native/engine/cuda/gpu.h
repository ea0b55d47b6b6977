#pragma once

#include <cstdint>
#include <string>
#include <vector>

// CUDA functions for the engine: implemented by gpu.cu in an addon with CUDA, otherwise by
// absent.cc. They are called only after a GPU is requested: the first call initialises the driver.
namespace cellroute::cuda {

struct Gpu {
  std::string name;
  int major = 0;  // of its compute capability
  int minor = 0;
  uint64_t bytes = 0;  // of its memory
};

struct Gpus {
  std::vector<Gpu> list;
  std::string problem;  // why there are none, and what to do
};

/** Whether this addon has kernels for GPUs. */
bool is_built_in();

Gpus find_gpus();

/** Why this addon's kernels cannot run on a GPU; empty if they can. Allocates a context on it. */
std::string problem_of(int index);

/** Makes the GPU current on this thread, with its own stream. */
void enter(int index);

/** Waits for the GPU and returns its cached memory to the driver. */
void release_memory(int index) noexcept;

}  // namespace cellroute::cuda
