#include "ops/cuda/box_iou.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>

#include "ops/box_overlap.h"
#include "ops/cuda/launch.cuh"

namespace cellroute::ops::cuda {
namespace {

template <typename T>
__device__ T area(const T* box) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

template <typename T>
__global__ void box_iou_kernel(const T* a, int64_t rows, const T* b, int64_t columns, T* iou) {
  grid_stride_loop(rows * columns, [&](int64_t i) {
    const T* one = a + 4 * (i / columns);
    const T* other = b + 4 * (i % columns);
    iou[i] = overlap(one[0], one[1], one[2], one[3], area(one), other[0], other[1], other[2],
                     other[3], area(other));
  });
}

}  // namespace

at::Tensor box_iou(const at::Tensor& a, const at::Tensor& b) {
  const c10::cuda::CUDAGuard guard(a.device());
  auto iou = at::empty({a.size(0), b.size(0)}, a.options());
  if (iou.numel() == 0) return iou;
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "box_iou", [&] {
    box_iou_kernel<scalar_t>
        <<<blocks_for(iou.numel()), kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
            a.const_data_ptr<scalar_t>(), a.size(0), b.const_data_ptr<scalar_t>(), b.size(0),
            iou.mutable_data_ptr<scalar_t>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
  return iou;
}

}  // namespace cellroute::ops::cuda
