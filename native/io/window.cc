#include "io/window.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/parallel.h"

namespace cellroute::io {
namespace {

/** A resized pixel on one axis, between two pixels of the image. */
struct Tap {
  int64_t low;
  int64_t high;
  float high_weight;
};

/** For `count` pixels from `first` on, where `from` pixels become `to`. */
std::vector<Tap> taps(int64_t from, int64_t to, int64_t first, int64_t count) {
  // In double: in a large image the integer part of a position would leave too few float digits for
  // its weight.
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  std::vector<Tap> result;
  result.reserve(static_cast<size_t>(count));
  for (int64_t i = first; i < first + count; ++i) {
    const double source = std::max(scale * (static_cast<double>(i) + 0.5) - 0.5, 0.0);
    const int64_t low = std::min(static_cast<int64_t>(source), from - 1);
    const double weight = std::min(source - static_cast<double>(low), 1.0);
    result.push_back({low, std::min(low + 1, from - 1), static_cast<float>(weight)});
  }
  return result;
}

float between(float low, float high, float high_weight) {
  return low * (1.0F - high_weight) + high * high_weight;
}

}  // namespace

std::pair<int64_t, int64_t> needed_pixels(int64_t from, int64_t to, int64_t begin, int64_t end) {
  return {taps(from, to, begin, 1).front().low, taps(from, to, end - 1, 1).front().high + 1};
}

at::Tensor read_window(const FloatImage& values, const Image& image, const PartOf& part,
                       int64_t height, int64_t width, const Window& window) {
  const auto rows = taps(part.height, height, window.y, window.height);
  const auto columns = taps(part.width, width, window.x, window.width);
  const int64_t left = columns.front().low, right = columns.back().high + 1;
  auto result = at::empty({3, window.height, window.width}, at::kFloat);
  auto* out = result.mutable_data_ptr<float>();
  const int64_t channels = values.channels();
  parallel_for(0, channels * window.height, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> upper(static_cast<size_t>(right - left)), lower(upper.size());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t channel = i / window.height;
      const auto& row = rows[static_cast<size_t>(i % window.height)];
      const auto read = [&](int64_t y, std::vector<float>& line) {
        const int64_t start = (y - part.y) * image.width - part.x;
        values.read(channel, start + left, start + right, line.data());
      };
      read(row.low, upper);
      read(row.high, lower);
      float* line = out + i * window.width;
      for (const auto& column : columns) {
        const auto low = static_cast<size_t>(column.low - left);
        const auto high = static_cast<size_t>(column.high - left);
        *line++ = between(between(upper[low], upper[high], column.high_weight),
                          between(lower[low], lower[high], column.high_weight), row.high_weight);
      }
    }
  });
  if (channels == 1) result.narrow(0, 1, 2).copy_(result.narrow(0, 0, 1).expand({2, -1, -1}));
  return result;
}

}  // namespace cellroute::io
