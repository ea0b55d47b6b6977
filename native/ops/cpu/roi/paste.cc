#include "ops/cpu/roi/paste.h"

#include <cmath>

#include "engine/parallel.h"
#include "ops/paste_window.h"
#include "ops/run_writer.h"

namespace cellroute::ops::cpu {
namespace {

/** Two columns of the mask with its border, and their weights for one column of the image. */
class Column {
 public:
  Column(const float* probabilities, int64_t cells, const Tap& x, bool small)
      : x_(x), small_(small), low_(cells + 2), high_(cells + 2), blend_(cells + 2) {
    for (int64_t row = 0; row < cells; ++row) {
      low_[row + 1] = cell(probabilities, cells, row, x.low);
      high_[row + 1] = cell(probabilities, cells, row, x.high);
      blend_[row + 1] = std::fma(low_[row + 1], x.low_weight, high_[row + 1] * x.high_weight);
    }
  }

  float at(const Tap& y) const {
    if (small_) {
      return blend(x_, y, low_[y.low], high_[y.low], low_[y.high], high_[y.high], true);
    }
    // As in blend(), with the computation along the rows done once per column.
    return std::fma(blend_[y.low], y.low_weight, blend_[y.high] * y.high_weight);
  }

 private:
  static float cell(const float* probabilities, int64_t cells, int64_t row, int64_t column) {
    return column == 0 || column == cells + 1 ? 0.0F : probabilities[row * cells + column - 1];
  }

  Tap x_;
  bool small_;
  std::vector<float> low_, high_, blend_;
};

mask::Rle paste(const float* probabilities, const float* box, int64_t cells, uint32_t height,
                uint32_t width, float threshold) {
  const Window window = window_of(box, cells, height, width);
  const bool small = window.is_small();
  std::vector<Tap> rows;
  for (int64_t y = window.y_begin; y < window.y_end; ++y) {
    rows.push_back(tap(y - window.top, window.height, cells + 2));
  }
  RunWriter runs(height, width);
  // Without rows the box misses the image, although it may be a billion columns wide.
  if (rows.empty()) return std::move(runs).finish();
  for (int64_t x = window.x_begin; x < window.x_end; ++x) {
    const Column column(probabilities, cells, tap(x - window.left, window.width, cells + 2), small);
    const uint64_t top = static_cast<uint64_t>(x) * height + static_cast<uint64_t>(window.y_begin);
    for (size_t y = 0; y < rows.size(); ++y) {
      const size_t first = y;
      while (y < rows.size() && column.at(rows[y]) > threshold) ++y;
      if (y > first) runs.add(top + first, top + y);
    }
  }
  return std::move(runs).finish();
}

}  // namespace

std::vector<mask::Rle> paste_masks(const at::Tensor& probabilities, const at::Tensor& boxes,
                                   uint32_t height, uint32_t width, float threshold) {
  const int64_t count = probabilities.size(0), cells = probabilities.size(1);
  const float* values = probabilities.const_data_ptr<float>();
  const float* corners = boxes.const_data_ptr<float>();
  std::vector<mask::Rle> masks(count);
  parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      masks[i] =
          paste(values + i * cells * cells, corners + 4 * i, cells, height, width, threshold);
    }
  });
  return masks;
}

}  // namespace cellroute::ops::cpu
