#include "ops/cuda/paste.h"

#include <ATen/ops/empty.h>

#include "ops/cuda/launch.cuh"
#include "ops/paste_window.h"
#include "ops/run_writer.h"

namespace cellroute::ops::cuda {
namespace {

/** Masks to paste, and their image. */
struct Pasted {
  const float* probabilities;  // [count, cells, cells]
  const float* boxes;          // [count, 4]
  int64_t count, cells;
  int64_t height, width;
  float threshold;
};

/** Calls visit(begin, end) for the runs of one mask in one column of the image. */
template <typename Visit>
__device__ void for_each_run(const Pasted& pasted, int64_t mask, int64_t x, Visit visit) {
  const auto window = window_of(pasted.boxes + 4 * mask, pasted.cells, pasted.height, pasted.width);
  if (x < window.x_begin || x >= window.x_end) return;
  for_each_column_run(pasted.probabilities + mask * pasted.cells * pasted.cells, pasted.cells,
                      window, x, pasted.threshold, visit);
}

/** counts [count, width]: the runs of each mask in each column. */
__global__ void count_kernel(Pasted pasted, int32_t* counts) {
  grid_stride_loop(pasted.count * pasted.width, [&](int64_t i) {
    int32_t runs = 0;
    for_each_run(pasted, i / pasted.width, i % pasted.width, [&](int64_t, int64_t) { ++runs; });
    counts[i] = runs;
  });
}

/** `ends` are the cumulative counts; runs [total, 2] receives begin and end of each run in the
 *  image read column by column. */
__global__ void write_kernel(Pasted pasted, const int32_t* counts, const int64_t* ends,
                             uint32_t* runs) {
  grid_stride_loop(pasted.count * pasted.width, [&](int64_t i) {
    uint32_t* run = runs + 2 * (ends[i] - counts[i]);
    const int64_t x = i % pasted.width;
    for_each_run(pasted, i / pasted.width, x, [&](int64_t begin, int64_t end) {
      *run++ = static_cast<uint32_t>(x * pasted.height + begin);
      *run++ = static_cast<uint32_t>(x * pasted.height + end);
    });
  });
}

}  // namespace

std::vector<mask::Rle> paste_masks(const at::Tensor& probabilities, const at::Tensor& boxes,
                                   uint32_t height, uint32_t width, float threshold) {
  const c10::cuda::CUDAGuard guard(boxes.device());
  const int64_t count = boxes.size(0), work = count * width;
  std::vector<mask::Rle> masks;
  masks.reserve(count);
  if (work == 0 || height == 0) {
    for (int64_t i = 0; i < count; ++i) masks.push_back(RunWriter(height, width).finish());
    return masks;
  }
  const Pasted pasted{probabilities.const_data_ptr<float>(),
                      boxes.const_data_ptr<float>(),
                      count,
                      probabilities.size(1),
                      height,
                      width,
                      threshold};
  const auto stream = c10::cuda::getCurrentCUDAStream();
  const auto integers = boxes.options().dtype(at::kInt);
  auto counts = at::empty({count, width}, integers);
  count_kernel<<<blocks_for(work), kThreads, 0, stream>>>(pasted,
                                                          counts.mutable_data_ptr<int32_t>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  const auto ends = counts.flatten().cumsum(0, at::kLong);
  const auto mask_ends = ends.view({count, width}).select(1, width - 1).contiguous().cpu();
  const auto* end_of = mask_ends.const_data_ptr<int64_t>();
  auto runs = at::empty({mask_ends[count - 1].item<int64_t>(), 2}, integers);
  write_kernel<<<blocks_for(work), kThreads, 0, stream>>>(
      pasted, counts.const_data_ptr<int32_t>(), ends.const_data_ptr<int64_t>(),
      reinterpret_cast<uint32_t*>(runs.mutable_data_ptr<int32_t>()));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  const auto on_host = runs.cpu();
  const auto* run = reinterpret_cast<const uint32_t*>(on_host.const_data_ptr<int32_t>());
  int64_t at = 0;
  for (int64_t i = 0; i < count; ++i) {
    RunWriter writer(height, width);
    for (; at < end_of[i]; ++at) writer.add(run[2 * at], run[2 * at + 1]);
    masks.push_back(std::move(writer).finish());
  }
  return masks;
}

}  // namespace cellroute::ops::cuda
