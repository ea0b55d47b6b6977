#include "ops/cpu/roi_align.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <ranges>
#include <vector>

namespace cellroute::ops::cpu {
namespace {

// Bilinear weights are the same in every channel: each is computed once for this many of them.
constexpr int64_t kChannelBlock = 8;

/** One sample on one axis: between the map cells low and high, with the weight of each. */
template <typename T>
struct Sample {
  int64_t low;
  int64_t high;
  T low_weight;
  T high_weight;
};

/** The samples of one box on one axis. Those that miss the map are left out: they add nothing. */
template <typename T>
struct Axis {
  std::vector<Sample<T>> samples;
  std::vector<int64_t> bins;  // bin b has samples bins[b] to bins[b + 1]
  int64_t grid = 0;           // samples a bin, with those that miss
};

template <typename T>
Sample<T> sample_at(T position, int64_t extent) {
  position = std::max(position, T(0));
  const auto low = static_cast<int64_t>(position);
  if (low >= extent - 1) return {extent - 1, extent - 1, T(1), T(0)};
  const T high_weight = position - static_cast<T>(low);
  return {low, low + 1, T(1) - high_weight, high_weight};
}

template <typename T>
Axis<T> sample_axis(T start, T length, int64_t pooled, int64_t sampling_ratio, int64_t extent) {
  const T bin = length / static_cast<T>(pooled);
  Axis<T> axis;
  axis.grid =
      sampling_ratio > 0
          ? sampling_ratio
          : static_cast<int64_t>(std::min(std::ceil(bin), static_cast<T>(kMaxRoiAlignGrid)));
  axis.bins.reserve(pooled + 1);
  axis.bins.push_back(0);
  for (int64_t b = 0; b < pooled; ++b) {
    const auto position = [&](int64_t i) {
      return start + static_cast<T>(b) * bin +
             (static_cast<T>(i) + T(0.5)) * bin / static_cast<T>(axis.grid);
    };
    // Rounding keeps the order of the positions, so those on the map are found by bisection: a box
    // of a billion pixels costs no more than the map.
    const auto all = std::views::iota(int64_t{0}, axis.grid);
    const auto first =
        std::ranges::partition_point(all, [&](int64_t i) { return position(i) < T(-1); });
    const auto last = std::ranges::partition_point(
        first, all.end(), [&](int64_t i) { return position(i) <= static_cast<T>(extent); });
    for (auto i = first; i != last; ++i) axis.samples.push_back(sample_at(position(*i), extent));
    axis.bins.push_back(static_cast<int64_t>(axis.samples.size()));
  }
  return axis;
}

template <typename T>
struct RoiSamples {
  int64_t image = 0;
  T count = 1;
  Axis<T> y;
  Axis<T> x;
};

template <typename T>
RoiSamples<T> sample_roi(const T* roi, int64_t height, int64_t width,
                         const RoiAlignParams& params) {
  const T scale = static_cast<T>(params.spatial_scale);
  const T offset = params.aligned ? T(0.5) : T(0);
  const T x1 = roi[1] * scale - offset;
  const T y1 = roi[2] * scale - offset;
  T w = (roi[3] * scale - offset) - x1;
  T h = (roi[4] * scale - offset) - y1;
  RoiSamples<T> samples;
  samples.image = static_cast<int64_t>(roi[0]);
  samples.y.bins.assign(params.pooled_height + 1, 0);
  samples.x.bins.assign(params.pooled_width + 1, 0);
  // Comparisons with NaN are false; std::max would hide it.
  if (!std::isfinite(x1) || !std::isfinite(y1) || !std::isfinite(w) || !std::isfinite(h)) {
    return samples;
  }
  if (params.aligned) {
    if (w < 0 || h < 0) return samples;
  } else {
    w = std::max(w, T(1));
    h = std::max(h, T(1));
  }
  samples.y = sample_axis(y1, h, params.pooled_height, params.sampling_ratio, height);
  samples.x = sample_axis(x1, w, params.pooled_width, params.sampling_ratio, width);
  samples.count = static_cast<T>(std::max<int64_t>(samples.y.grid * samples.x.grid, 1));
  return samples;
}

/** Calls visit(o1, w1, o2, w2, o3, w3, o4, w4) for every sample of the bin, row by row: the offsets
 *  in a map of the four cells around it, and their weights. */
template <typename T, typename Visit>
void for_each_sample(const RoiSamples<T>& roi, int64_t ph, int64_t pw, int64_t width, Visit visit) {
  for (int64_t i = roi.y.bins[ph]; i < roi.y.bins[ph + 1]; ++i) {
    const Sample<T>& y = roi.y.samples[i];
    for (int64_t j = roi.x.bins[pw]; j < roi.x.bins[pw + 1]; ++j) {
      const Sample<T>& x = roi.x.samples[j];
      visit(y.low * width + x.low, y.low_weight * x.low_weight,    //
            y.low * width + x.high, y.low_weight * x.high_weight,  //
            y.high * width + x.low, y.high_weight * x.low_weight,  //
            y.high * width + x.high, y.high_weight * x.high_weight);
    }
  }
}

/** One bin of `Channels` neighbouring channels. */
template <int64_t Channels, typename T>
void pool_bin(const T* input, int64_t plane, int64_t width, const RoiSamples<T>& roi, int64_t ph,
              int64_t pw, T* output, int64_t output_plane) {
  T sums[Channels] = {};
  for_each_sample(roi, ph, pw, width,
                  [&](int64_t o1, T w1, int64_t o2, T w2, int64_t o3, T w3, int64_t o4, T w4) {
                    for (int64_t c = 0; c < Channels; ++c) {
                      const T* map = input + c * plane;
                      sums[c] += w1 * map[o1] + w2 * map[o2] + w3 * map[o3] + w4 * map[o4];
                    }
                  });
  for (int64_t c = 0; c < Channels; ++c) output[c * output_plane] = sums[c] / roi.count;
}

template <typename T>
void forward(const torch::Tensor& input, const torch::Tensor& rois, const RoiAlignParams& params,
             torch::Tensor& output) {
  const int64_t channels = input.size(1), height = input.size(2), width = input.size(3);
  const int64_t plane = height * width;
  const int64_t pooled_plane = params.pooled_height * params.pooled_width;
  const T* in = input.const_data_ptr<T>();
  const T* boxes = rois.const_data_ptr<T>();
  T* out = output.mutable_data_ptr<T>();
  at::parallel_for(0, rois.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const auto roi = sample_roi(boxes + 5 * k, height, width, params);
      const T* image = in + roi.image * channels * plane;
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
void backward(const torch::Tensor& grad, const torch::Tensor& rois, const RoiAlignParams& params,
              torch::Tensor& input_grad) {
  const int64_t channels = input_grad.size(1), height = input_grad.size(2);
  const int64_t width = input_grad.size(3), plane = height * width;
  const int64_t pooled_plane = params.pooled_height * params.pooled_width;
  const int64_t count = rois.size(0);
  const T* boxes = rois.const_data_ptr<T>();
  const T* upstream = grad.const_data_ptr<T>();
  T* out = input_grad.mutable_data_ptr<T>();

  std::vector<RoiSamples<T>> samples(count);
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      samples[k] = sample_roi(boxes + 5 * k, height, width, params);
    }
  });
  // A channel belongs to one thread, which adds the boxes in their order: no atomics, and the same
  // sums for any number of threads.
  const int64_t blocks = (channels + kChannelBlock - 1) / kChannelBlock;
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kChannelBlock;
      const int64_t last = std::min(first + kChannelBlock, channels);
      for (int64_t k = 0; k < count; ++k) {
        const RoiSamples<T>& roi = samples[k];
        T* maps = out + roi.image * channels * plane;
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
          for_each_sample(roi, bin / params.pooled_width, bin % params.pooled_width, width,
                          scatter);
        }
      }
    }
  });
}

}  // namespace

torch::Tensor roi_align_forward(const torch::Tensor& input, const torch::Tensor& rois,
                                const RoiAlignParams& params) {
  auto output = torch::empty(
      {rois.size(0), input.size(1), params.pooled_height, params.pooled_width}, input.options());
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "roi_align",
                             [&] { forward<scalar_t>(input, rois, params, output); });
  return output;
}

torch::Tensor roi_align_backward(const torch::Tensor& grad, const torch::Tensor& rois,
                                 at::IntArrayRef input_sizes, const RoiAlignParams& params) {
  auto input_grad = torch::zeros(input_sizes, grad.options());
  AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "roi_align_backward",
                             [&] { backward<scalar_t>(grad, rois, params, input_grad); });
  return input_grad;
}

}  // namespace cellroute::ops::cpu
