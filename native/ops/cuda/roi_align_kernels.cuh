#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/cuda/launch.cuh"
#include "ops/roi_align_row.h"

// RoIAlign over one map or several, in any layout. Each thread computes one channel of one bin.
namespace cellroute::ops::cuda {

inline constexpr int kMaxLevels = 8;

/** A four-dimensional tensor as a kernel argument. */
template <typename T>
struct Maps {
  T* data;
  int64_t sizes[4];
  int64_t strides[4];

  __device__ T* at(int64_t n, int64_t c) const { return data + n * strides[0] + c * strides[1]; }
};

template <typename T>
Maps<T> maps_of(const at::Tensor& tensor, T* data) {
  Maps<T> maps{data, {}, {}};
  for (int d = 0; d < 4; ++d) {
    maps.sizes[d] = tensor.size(d);
    maps.strides[d] = tensor.stride(d);
  }
  return maps;
}

template <typename T>
struct Levels {
  Maps<T> maps[kMaxLevels];
  RoiAlignParams params[kMaxLevels];
  int count;
};

/** The level of a RoI, or -1 if it has none or its image is not in the batch. `level` is null
 *  for a single map. */
template <typename T, typename Box>
__device__ inline int level_of(const Levels<T>& levels, const Box* roi, const int64_t* level,
                               int64_t k) {
  const int64_t index = level == nullptr ? 0 : level[k];
  if (index < 0 || index >= levels.count) return -1;
  // Reading another image's memory is worse than zeros. Also false for NaN.
  if (!(roi[0] >= Box(0) && roi[0] < static_cast<Box>(levels.maps[index].sizes[0]))) return -1;
  return static_cast<int>(index);
}

/** The bin and channel of a thread: neighbours in memory are neighbours in a warp. */
struct BinIndex {
  int64_t k, c, ph, pw;
};

__device__ inline BinIndex bin_index(int64_t i, const int64_t* sizes, bool channels_last) {
  const int64_t channels = sizes[1], height = sizes[2], width = sizes[3];
  if (channels_last) {
    const int64_t bin = i / channels;
    return {bin / width / height, i % channels, bin / width % height, bin % width};
  }
  const int64_t plane = i / (width * height);
  return {plane / channels, plane % channels, i / width % height, i % width};
}

/** T is the maps' type, A the type of sums and boxes. */
template <typename T, typename A>
__global__ void pool_kernel(Levels<const T> levels, const A* rois, const int64_t* level,
                            Maps<T> output, bool channels_last) {
  const int64_t work = output.sizes[0] * output.sizes[1] * output.sizes[2] * output.sizes[3];
  grid_stride_loop(work, [&](int64_t i) {
    const auto [k, c, ph, pw] = bin_index(i, output.sizes, channels_last);
    const A* roi = rois + 5 * k;
    const int index = level_of(levels, roi, level, k);
    A sum = 0, count = 1;
    if (index >= 0) {
      const auto& maps = levels.maps[index];
      const auto axes = roi_axes(roi + 1, maps.sizes[2], maps.sizes[3], levels.params[index]);
      count = axes.count;
      if (axes.valid) {
        const T* map = maps.at(static_cast<int64_t>(roi[0]), c);
        const int64_t row = maps.strides[2], column = maps.strides[3];
        const int64_t y_first = axes.y.first(ph), y_last = axes.y.last(ph, y_first);
        const int64_t x_first = axes.x.first(pw), x_last = axes.x.last(pw, x_first);
        for (int64_t iy = y_first; iy < y_last; ++iy) {
          const auto y = sample_at(axes.y.position(ph, iy), maps.sizes[2]);
          for (int64_t ix = x_first; ix < x_last; ++ix) {
            const auto x = sample_at(axes.x.position(pw, ix), maps.sizes[3]);
            const auto value = [&](int64_t at_y, int64_t at_x) {
              return static_cast<A>(map[at_y * row + at_x * column]);
            };
            sum += y.low_weight * x.low_weight * value(y.low, x.low) +
                   y.low_weight * x.high_weight * value(y.low, x.high) +
                   y.high_weight * x.low_weight * value(y.high, x.low) +
                   y.high_weight * x.high_weight * value(y.high, x.high);
          }
        }
      }
    }
    output.at(k, c)[ph * output.strides[2] + pw * output.strides[3]] = static_cast<T>(sum / count);
  });
}

/** Every bin adds to the cells it was computed from, in the order in which the GPU runs them. */
template <typename A>
__global__ void scatter_kernel(Levels<A> levels, const A* rois, const int64_t* level,
                               Maps<const A> grad, bool channels_last) {
  const int64_t work = grad.sizes[0] * grad.sizes[1] * grad.sizes[2] * grad.sizes[3];
  grid_stride_loop(work, [&](int64_t i) {
    const auto [k, c, ph, pw] = bin_index(i, grad.sizes, channels_last);
    const A* roi = rois + 5 * k;
    const int index = level_of(levels, roi, level, k);
    if (index < 0) return;
    const auto& maps = levels.maps[index];
    const auto axes = roi_axes(roi + 1, maps.sizes[2], maps.sizes[3], levels.params[index]);
    if (!axes.valid) return;
    A* map = maps.at(static_cast<int64_t>(roi[0]), c);
    const int64_t row = maps.strides[2], column = maps.strides[3];
    const A upstream = grad.at(k, c)[ph * grad.strides[2] + pw * grad.strides[3]];
    const int64_t y_first = axes.y.first(ph), y_last = axes.y.last(ph, y_first);
    const int64_t x_first = axes.x.first(pw), x_last = axes.x.last(pw, x_first);
    for (int64_t iy = y_first; iy < y_last; ++iy) {
      const auto y = sample_at(axes.y.position(ph, iy), maps.sizes[2]);
      for (int64_t ix = x_first; ix < x_last; ++ix) {
        const auto x = sample_at(axes.x.position(pw, ix), maps.sizes[3]);
        const auto add = [&](int64_t at_y, int64_t at_x, A weight) {
          atomicAdd(map + at_y * row + at_x * column, weight / axes.count * upstream);
        };
        add(y.low, x.low, y.low_weight * x.low_weight);
        add(y.low, x.high, y.low_weight * x.high_weight);
        add(y.high, x.low, y.high_weight * x.low_weight);
        add(y.high, x.high, y.high_weight * x.high_weight);
      }
    }
  });
}

/** One level's gradients without atomics: a thread owns one channel of one row of one image and
 *  adds the boxes in order, so the sums are always the same. */
template <typename A>
__global__ void gather_kernel(Levels<A> levels, int index, const A* rois, const int64_t* level,
                              Maps<const A> grad) {
  const auto& maps = levels.maps[index];
  const auto& params = levels.params[index];
  const int64_t channels = maps.sizes[1], height = maps.sizes[2], width = maps.sizes[3];
  grid_stride_loop(maps.sizes[0] * height * channels, [&](int64_t i) {
    const int64_t c = i % channels, own = i / channels % height, n = i / channels / height;
    A* row = maps.at(n, c) + own * maps.strides[2];
    for (int64_t k = 0; k < grad.sizes[0]; ++k) {
      const A* roi = rois + 5 * k;
      if (level_of(levels, roi, level, k) != index || static_cast<int64_t>(roi[0]) != n) continue;
      const auto axes = roi_axes(roi + 1, height, width, params);
      if (!axes.valid) continue;
      add_box_to_row(axes, params, own, grad.at(k, c), grad.strides[2], grad.strides[3], row,
                     maps.strides[3]);
    }
  });
}

template <typename T, typename A>
void launch_pool(const Levels<const T>& levels, const A* rois, const int64_t* level,
                 const at::Tensor& output, bool channels_last) {
  if (output.numel() == 0) return;
  pool_kernel<T, A><<<blocks_for(output.numel()), kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
      levels, rois, level, maps_of(output, static_cast<T*>(output.mutable_data_ptr())),
      channels_last);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

/** Adds to zeroed maps. The order of the sums is fixed if LibTorch is set to deterministic
 *  algorithms. */
template <typename A>
void launch_backward(const Levels<A>& levels, const A* rois, const int64_t* level,
                     const at::Tensor& grad, bool channels_last) {
  if (grad.numel() == 0) return;
  const auto stream = c10::cuda::getCurrentCUDAStream();
  const auto upstream = maps_of(grad, grad.const_data_ptr<A>());
  if (!at::globalContext().deterministicAlgorithms()) {
    scatter_kernel<A><<<blocks_for(grad.numel()), kThreads, 0, stream>>>(levels, rois, level,
                                                                         upstream, channels_last);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return;
  }
  for (int i = 0; i < levels.count; ++i) {
    const auto& sizes = levels.maps[i].sizes;
    gather_kernel<A><<<blocks_for(sizes[0] * sizes[1] * sizes[2]), kThreads, 0, stream>>>(
        levels, i, rois, level, upstream);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
}

}  // namespace cellroute::ops::cuda
