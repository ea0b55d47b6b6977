#pragma once

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cstdint>

// Shared launch code. Kernels iterate with grid strides in 64 bits, so a tensor of any size fits a
// grid.
namespace cellroute::ops::cuda {

inline constexpr int kThreads = 256;
// Enough blocks to fill any card several times over.
inline constexpr int64_t kMaxBlocks = 65536;

inline unsigned blocks_for(int64_t work, int64_t a_block = kThreads) {
  return static_cast<unsigned>(std::clamp<int64_t>((work + a_block - 1) / a_block, 1, kMaxBlocks));
}

/** Calls visit(i) for every i below `work` that belongs to this thread. */
template <typename Visit>
__device__ inline void grid_stride_loop(int64_t work, Visit visit) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < work;
       i += stride) {
    visit(i);
  }
}

}  // namespace cellroute::ops::cuda
