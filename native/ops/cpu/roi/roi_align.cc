#include "ops/cpu/roi/roi_align.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/roi/roi_align_samples.h"
#include "round_up.h"

namespace cellroute::ops::cpu {
namespace {

// Bilinear weights are the same in every channel: they are computed once for this many channels.
constexpr int64_t kChannelBlock = 8;

/** One bin of `Channels` neighbouring channels. */
template <int64_t Channels, typename T>
void pool_bin(const T* input, int64_t plane, int64_t width, const RoiSamples<T>& roi, int64_t ph,
              int64_t pw, T* output, int64_t output_plane) {
  T sums[Channels] = {};
  for_each_sample(roi, ph, pw, width, 1,
                  [&](int64_t o1, T w1, int64_t o2, T w2, int64_t o3, T w3, int64_t o4, T w4) {
                    for (int64_t c = 0; c < Channels; ++c) {
                      const T* map = input + c * plane;
                      sums[c] += w1 * map[o1] + w2 * map[o2] + w3 * map[o3] + w4 * map[o4];
                    }
                  });
  for (int64_t c = 0; c < Channels; ++c) output[c * output_plane] = sums[c] / roi.count;
}

template <typename T>
void forward(const at::Tensor& input, const at::Tensor& rois, const RoiAlignParams& params,
             at::Tensor& output) {
  const int64_t channels = input.size(1), height = input.size(2), width = input.size(3);
  const int64_t plane = height * width;
  const int64_t pooled_plane = params.pooled_height * params.pooled_width;
  const T* in = input.const_data_ptr<T>();
  const T* boxes = rois.const_data_ptr<T>();
  T* out = output.mutable_data_ptr<T>();
  parallel_for(0, rois.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const T* box = boxes + 5 * k;
      const auto roi = sample_box(box + 1, height, width, params);
      const T* image = in + static_cast<int64_t>(box[0]) * channels * plane;
      T* pooled = out + k * channels * pooled_plane;
      const auto pool = [&]<int64_t Channels>(int64_t c) {
        for (int64_t ph = 0; ph < params.pooled_height; ++ph) {
          for (int64_t pw = 0; pw < params.pooled_width; ++pw) {
            pool_bin<Channels>(image + c * plane, plane, width, roi, ph, pw,
                               pooled + c * pooled_plane + ph * params.pooled_width + pw,
                               pooled_plane);
          }
        }
      };
      const int64_t in_blocks = channels - channels % kChannelBlock;
      for (int64_t c = 0; c < in_blocks; c += kChannelBlock) {
        pool.template operator()<kChannelBlock>(c);
      }
      for (int64_t c = in_blocks; c < channels; ++c) pool.template operator()<1>(c);
    }
  });
}

template <typename T>
void backward(const at::Tensor& grad, const at::Tensor& rois, const RoiAlignParams& params,
              at::Tensor& input_grad) {
  const int64_t channels = input_grad.size(1), height = input_grad.size(2);
  const int64_t width = input_grad.size(3), plane = height * width;
  const int64_t pooled_plane = params.pooled_height * params.pooled_width;
  const int64_t count = rois.size(0);
  const T* boxes = rois.const_data_ptr<T>();
  const T* upstream = grad.const_data_ptr<T>();
  T* out = input_grad.mutable_data_ptr<T>();

  std::vector<RoiSamples<T>> samples(count);
  parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      samples[k] = sample_box(boxes + 5 * k + 1, height, width, params);
    }
  });
  // Each channel belongs to one thread, which adds the boxes in order: no atomics, and the same
  // sums for any number of threads.
  const int64_t blocks = divide_up(channels, kChannelBlock);
  parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kChannelBlock;
      const int64_t last = std::min(first + kChannelBlock, channels);
      for (int64_t k = 0; k < count; ++k) {
        const RoiSamples<T>& roi = samples[k];
        T* maps = out + static_cast<int64_t>(boxes[5 * k]) * channels * plane;
        for (int64_t bin = 0; bin < pooled_plane; ++bin) {
          const T* pooled = upstream + k * channels * pooled_plane + bin;
          const auto scatter = [&](int64_t o1, T w1, int64_t o2, T w2, int64_t o3, T w3, int64_t o4,
                                   T w4) {
            for (int64_t c = first; c < last; ++c) {
              const T g = pooled[c * pooled_plane];
              T* map = maps + c * plane;
              map[o1] += g * w1 / roi.count;
              map[o2] += g * w2 / roi.count;
              map[o3] += g * w3 / roi.count;
              map[o4] += g * w4 / roi.count;
            }
          };
          for_each_sample(roi, bin / params.pooled_width, bin % params.pooled_width, width, 1,
                          scatter);
        }
      }
    }
  });
}

}  // namespace

at::Tensor roi_align_forward(const at::Tensor& input, const at::Tensor& rois,
                             const RoiAlignParams& params) {
  auto output = at::empty({rois.size(0), input.size(1), params.pooled_height, params.pooled_width},
                          input.options());
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "roi_align",
                             [&] { forward<scalar_t>(input, rois, params, output); });
  return output;
}

at::Tensor roi_align_backward(const at::Tensor& grad, const at::Tensor& rois,
                              at::IntArrayRef input_sizes, const RoiAlignParams& params) {
  auto input_grad = at::zeros(input_sizes, grad.options());
  AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "roi_align_backward",
                             [&] { backward<scalar_t>(grad, rois, params, input_grad); });
  return input_grad;
}

}  // namespace cellroute::ops::cpu
