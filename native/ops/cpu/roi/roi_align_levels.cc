#include "ops/cpu/roi/roi_align_levels.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "engine/parallel.h"
#include "ops/cpu/roi/roi_align_samples.h"
#include "round_up.h"

namespace cellroute::ops::cpu {
namespace {

// Channels whose gradient a thread accumulates at a time.
constexpr int64_t kBlock = 64;

/** The rows of channels that a bin reads, and their weights. */
struct Taps {
  std::vector<int64_t> offsets;
  std::vector<float> weights;

  void add(int64_t offset, float weight) {
    offsets.push_back(offset);
    weights.push_back(weight);
  }

  void clear() {
    offsets.clear();
    weights.clear();
  }
};

}  // namespace

template <typename T>
at::Tensor roi_align_levels(const Kernels<T>& kernels, const std::vector<at::Tensor>& maps,
                            const std::vector<RoiAlignParams>& params, const at::Tensor& rois,
                            const at::Tensor& level) {
  const int64_t channels = maps.front().size(1);
  const int64_t height = params.front().pooled_height, width = params.front().pooled_width;
  auto output = at::empty({rois.size(0), channels, height, width}, maps.front().options(),
                          at::MemoryFormat::ChannelsLast);
  std::vector<const T*> values;
  for (const auto& map : maps) values.push_back(static_cast<const T*>(map.const_data_ptr()));
  const auto* boxes = rois.const_data_ptr<float>();
  const auto* level_of = level.const_data_ptr<int64_t>();
  auto* out = static_cast<T*>(output.mutable_data_ptr());

  parallel_for(0, rois.size(0), 1, [&](int64_t begin, int64_t end) {
    Taps taps;
    for (int64_t k = begin; k < end; ++k) {
      T* pooled = out + k * height * width * channels;
      if (level_of[k] < 0 || level_of[k] >= static_cast<int64_t>(maps.size())) {
        std::fill_n(pooled, height * width * channels, T{});
        continue;
      }
      const auto& map = maps[level_of[k]];
      const auto* box = boxes + 5 * k;
      const auto roi = sample_box(box + 1, map.size(2), map.size(3), params[level_of[k]]);
      const int64_t row = map.size(3) * channels;
      const T* image = values[level_of[k]] + static_cast<int64_t>(box[0]) * map.size(2) * row;
      for (int64_t ph = 0; ph < height; ++ph) {
        for (int64_t pw = 0; pw < width; ++pw, pooled += channels) {
          taps.clear();
          for_each_sample(roi, ph, pw, row, channels,
                          [&](int64_t o1, float w1, int64_t o2, float w2, int64_t o3, float w3,
                              int64_t o4, float w4) {
                            taps.add(o1, w1);
                            taps.add(o2, w2);
                            taps.add(o3, w3);
                            taps.add(o4, w4);
                          });
          kernels.weighted_rows({.map = image,
                                 .offsets = taps.offsets.data(),
                                 .weights = taps.weights.data(),
                                 .rows = static_cast<int64_t>(taps.offsets.size()),
                                 .divisor = roi.count,
                                 .channels = channels,
                                 .sum = pooled});
        }
      }
    }
  });
  return output;
}

std::vector<at::Tensor> roi_align_levels_backward(
    const at::Tensor& grad, const std::vector<std::vector<int64_t>>& map_sizes,
    const std::vector<RoiAlignParams>& params, const at::Tensor& rois, const at::Tensor& level) {
  const int64_t count = rois.size(0), channels = grad.size(1);
  const int64_t height = grad.size(2), width = grad.size(3);
  const auto* boxes = rois.const_data_ptr<float>();
  const auto* level_of = level.const_data_ptr<int64_t>();
  const auto* upstream = grad.const_data_ptr<float>();
  std::vector<at::Tensor> grads;
  std::vector<float*> values;
  for (const auto& sizes : map_sizes) {
    // New memory from the system is already zero, and pages that no box touches are never
    // allocated.
    grads.push_back(
        at::zeros({sizes[0], sizes[2], sizes[3], sizes[1]}, grad.options()).permute({0, 3, 1, 2}));
    values.push_back(grads.back().mutable_data_ptr<float>());
  }

  const auto is_pooled = [&](int64_t k) {
    return level_of[k] >= 0 && level_of[k] < static_cast<int64_t>(grads.size());
  };
  std::vector<RoiSamples<float>> samples(count);
  parallel_for(0, count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      if (!is_pooled(k)) continue;
      const auto& sizes = map_sizes[level_of[k]];
      samples[k] = sample_box(boxes + 5 * k + 1, sizes[2], sizes[3], params[level_of[k]]);
    }
  });

  // Each block of channels belongs to one thread, which adds the boxes in order: no atomics, and
  // the same sums for any number of threads.
  parallel_for(0, divide_up(channels, kBlock), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBlock, some = std::min(kBlock, channels - first);
      for (int64_t k = 0; k < count; ++k) {
        if (!is_pooled(k)) continue;
        const auto& sizes = map_sizes[level_of[k]];
        const int64_t row = sizes[3] * channels;
        float* image = values[level_of[k]] + static_cast<int64_t>(boxes[5 * k]) * sizes[2] * row;
        const float* pooled = upstream + k * height * width * channels + first;
        for (int64_t bin = 0; bin < height * width; ++bin, pooled += channels) {
          const auto add = [&](int64_t offset, float weight) {
            float* map = image + offset + first;
            const float share = weight / samples[k].count;
            for (int64_t c = 0; c < some; ++c) map[c] += share * pooled[c];
          };
          for_each_sample(samples[k], bin / width, bin % width, row, channels,
                          [&](int64_t o1, float w1, int64_t o2, float w2, int64_t o3, float w3,
                              int64_t o4, float w4) {
                            add(o1, w1);
                            add(o2, w2);
                            add(o3, w3);
                            add(o4, w4);
                          });
        }
      }
    }
  });
  return grads;
}

template at::Tensor roi_align_levels(const Kernels<float>&, const std::vector<at::Tensor>&,
                                     const std::vector<RoiAlignParams>&, const at::Tensor&,
                                     const at::Tensor&);
template at::Tensor roi_align_levels(const Kernels<Bfloat16Bits>&, const std::vector<at::Tensor>&,
                                     const std::vector<RoiAlignParams>&, const at::Tensor&,
                                     const at::Tensor&);

}  // namespace cellroute::ops::cpu
