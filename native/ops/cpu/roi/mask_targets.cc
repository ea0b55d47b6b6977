#include "ops/cpu/roi/mask_targets.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/roi/nearest.h"
#include "ops/cpu/roi/roi_align_samples.h"

namespace cellroute::ops::cpu {
namespace {

/** Source pixels of `count` pixels from `first` on, on an axis resized from `from` to `to`
 *  pixels. */
std::vector<uint32_t> nearest_sources(int64_t first, int64_t count, int64_t from, int64_t to) {
  std::vector<uint32_t> sources(count);
  for (int64_t i = 0; i < count; ++i) {
    sources[i] = static_cast<uint32_t>(nearest_source(first + i, from, to));
  }
  return sources;
}

/** The mask's pixels (0 or 1) at the intersections of some columns and rows, in column order;
 *  both lists are increasing. */
std::vector<uint8_t> read_pixels(const mask::Rle& mask, const std::vector<uint32_t>& columns,
                                 const std::vector<uint32_t>& rows) {
  std::vector<uint8_t> pixels(columns.size() * rows.size());
  const auto count = static_cast<std::ptrdiff_t>(rows.size());
  size_t column = 0;
  mask::for_each_run(mask, [&](uint32_t begin, uint32_t end) {
    // The column in which the last run ended may continue here.
    while (column > 0 && (uint64_t{columns[column - 1]} + 1) * mask.height > begin) --column;
    for (; column < columns.size(); ++column) {
      const uint64_t foot = uint64_t{columns[column]} * mask.height;
      if (foot >= end) break;
      if (foot + mask.height <= begin) continue;
      const auto within = [&](uint64_t position) {
        return static_cast<uint32_t>(std::clamp<uint64_t>(position, foot, foot + mask.height) -
                                     foot);
      };
      const auto from = std::lower_bound(rows.begin(), rows.end(), within(begin));
      const auto to = std::lower_bound(from, rows.end(), within(end));
      auto* first = pixels.data() + static_cast<std::ptrdiff_t>(column) * count;
      std::fill(first + (from - rows.begin()), first + (to - rows.begin()), uint8_t{1});
    }
  });
  return pixels;
}

/** Shifts an axis to start at its first cell, and returns that cell. */
int64_t rebase(Axis<float>& axis) {
  const int64_t first = axis.samples.front().low;
  for (auto& sample : axis.samples) {
    sample.low -= first;
    sample.high -= first;
  }
  return first;
}

void project(const mask::Rle& mask, const float* corners, int64_t height, int64_t width,
             int64_t size, float* target) {
  const RoiAlignParams params{.spatial_scale = 1,
                              .pooled_height = size,
                              .pooled_width = size,
                              .sampling_ratio = -1,
                              .aligned = false};
  auto box = sample_box(corners, height, width, params);
  std::fill_n(target, size * size, 0.0F);
  if (box.x.samples.empty() || box.y.samples.empty()) return;
  const int64_t left = rebase(box.x), top = rebase(box.y);
  const int64_t columns = box.x.samples.back().high + 1, rows = box.y.samples.back().high + 1;
  const auto pixels = read_pixels(mask, nearest_sources(left, columns, mask.width, width),
                                  nearest_sources(top, rows, mask.height, height));
  for (int64_t ph = 0; ph < size; ++ph) {
    for (int64_t pw = 0; pw < size; ++pw) {
      float sum = 0;
      for_each_sample(box, ph, pw, 1, rows,
                      [&](int64_t o1, float w1, int64_t o2, float w2, int64_t o3, float w3,
                          int64_t o4, float w4) {
                        const auto at = [&](int64_t o) { return static_cast<float>(pixels[o]); };
                        sum += w1 * at(o1) + w2 * at(o2) + w3 * at(o3) + w4 * at(o4);
                      });
      target[ph * size + pw] = sum / box.count;
    }
  }
}

}  // namespace

at::Tensor mask_targets(std::span<const mask::Rle> masks, const at::Tensor& boxes,
                        const at::Tensor& matched, int64_t height, int64_t width, int64_t size) {
  auto targets = at::empty({boxes.size(0), size, size}, boxes.options());
  const float* corners = boxes.const_data_ptr<float>();
  const int64_t* index = matched.const_data_ptr<int64_t>();
  float* out = targets.mutable_data_ptr<float>();
  parallel_for(0, boxes.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      project(masks[index[k]], corners + 4 * k, height, width, size, out + k * size * size);
    }
  });
  return targets;
}

}  // namespace cellroute::ops::cpu
