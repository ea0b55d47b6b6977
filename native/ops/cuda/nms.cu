#include "ops/cuda/nms.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "ops/cuda/launch.cuh"
#include "ops/nms_bits.h"

namespace cellroute::ops::cuda {
namespace {

/** Word [n, i, w] of the bits. Words left of the diagonal are neither written nor read. */
template <typename T>
__global__ void overlap_kernel(const T* boxes, const int64_t* groups, int64_t images, int64_t size,
                               int64_t words, double iou_threshold, uint64_t* bits) {
  grid_stride_loop(images * size * words, [&](int64_t at) {
    const int64_t word = at % words, i = at / words % size, image = at / words / size;
    if (word < i / kWord) return;
    bits[at] =
        overlap_word(boxes + 4 * size * image, groups == nullptr ? nullptr : groups + size * image,
                     size, i, word, iou_threshold);
  });
}

/** One block per image processes its boxes 64 at a time: one thread selects among them, then all
 *  threads mark the later boxes that the kept ones suppress. */
__global__ void sweep_kernel(const uint64_t* all_bits, int64_t size, int64_t words,
                             uint64_t* all_removed, bool* all_kept) {
  const uint64_t* bits = all_bits + blockIdx.x * size * words;
  uint64_t* removed = all_removed + blockIdx.x * words;
  bool* kept = all_kept + blockIdx.x * size;
  __shared__ uint64_t diagonal[kWord];
  __shared__ uint64_t stays;
  for (int64_t word = 0; word < words; ++word) {
    const int64_t begin = word * kWord;
    const int64_t rows = size - begin < kWord ? size - begin : kWord;
    if (threadIdx.x < rows) diagonal[threadIdx.x] = bits[(begin + threadIdx.x) * words + word];
    __syncthreads();
    if (threadIdx.x == 0) stays = kept_word(removed[word], diagonal, rows);
    __syncthreads();
    if (threadIdx.x < rows) kept[begin + threadIdx.x] = (stays >> threadIdx.x & 1) != 0;
    for (int64_t later = word + 1 + threadIdx.x; later < words; later += blockDim.x) {
      uint64_t gone = removed[later];
      for (int64_t r = 0; r < rows; ++r) {
        if ((stays >> r & 1) != 0) gone |= bits[(begin + r) * words + later];
      }
      removed[later] = gone;
    }
    __syncthreads();
  }
}

}  // namespace

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& groups, double iou_threshold) {
  const c10::cuda::CUDAGuard guard(boxes.device());
  const int64_t images = boxes.size(0), size = boxes.size(1), words = (size + kWord - 1) / kWord;
  auto kept = at::empty({images, size}, boxes.options().dtype(at::kBool));
  if (kept.numel() == 0) return kept;
  const auto longs = boxes.options().dtype(at::kLong);
  auto bits = at::empty({images, size, words}, longs);
  auto removed = at::zeros({images, words}, longs);
  auto* const bit_words = reinterpret_cast<uint64_t*>(bits.mutable_data_ptr<int64_t>());
  const auto* const group = groups.defined() ? groups.const_data_ptr<int64_t>() : nullptr;
  const auto stream = c10::cuda::getCurrentCUDAStream();
  AT_DISPATCH_FLOATING_TYPES(boxes.scalar_type(), "nms", [&] {
    overlap_kernel<scalar_t><<<blocks_for(bits.numel()), kThreads, 0, stream>>>(
        boxes.const_data_ptr<scalar_t>(), group, images, size, words, iou_threshold, bit_words);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
  constexpr int kSweepThreads = 1024;
  sweep_kernel<<<static_cast<unsigned>(images), kSweepThreads, 0, stream>>>(
      bit_words, size, words, reinterpret_cast<uint64_t*>(removed.mutable_data_ptr<int64_t>()),
      kept.mutable_data_ptr<bool>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return kept;
}

}  // namespace cellroute::ops::cuda
