#include "data/resample.h"

#include <algorithm>

namespace cellroute::data {
namespace {

/** The taps of all visible pixels of an axis, and the range of image pixels they read. */
struct Filter {
  explicit Filter(const Axis& axis) {
    for (int64_t i = axis.inside().begin; i < axis.inside().end; ++i) {
      taps.push_back(axis.taps(i));
      const auto& own = taps.back();
      const auto end = own.first + static_cast<int64_t>(own.weights.size());
      reach = taps.size() == 1 ? Span{own.first, end}
                               : Span{std::min(reach.begin, own.first), std::max(reach.end, end)};
    }
  }

  std::vector<Taps> taps;
  Span reach;
};

/** Along the image's rows: one value per visible pixel. */
void filter_row(const Filter& filter, const std::vector<float>& row, float* out) {
  for (const auto& taps : filter.taps) {
    const float* in = row.data() + (taps.first - filter.reach.begin);
    float sum = 0;
    for (size_t t = 0; t < taps.weights.size(); ++t) sum += in[t] * taps.weights[t];
    *out++ = sum;
  }
}

/** Down the columns: the weighted sum of the rows that contribute to one pixel. */
void filter_column(const Taps& taps, const float* rows, std::vector<float>& out) {
  std::ranges::fill(out, 0.0F);
  for (const float weight : taps.weights) {
    for (size_t i = 0; i < out.size(); ++i) out[i] += rows[i] * weight;
    rows += out.size();
  }
}

}  // namespace

std::vector<float> resample(const io::FloatImage& image, int64_t image_width, const Axis& x,
                            const Axis& y, bool transposed, float fill) {
  const int64_t plane = x.size() * y.size();
  std::vector<float> result(static_cast<size_t>(image.channels() * plane), fill);
  const Filter along_x(x), along_y(y);
  if (along_x.taps.empty() || along_y.taps.empty()) return result;

  // Distance in the sample between two pixels of an image row, and between two of an image column.
  const int64_t next_x = transposed ? y.size() : 1;
  const int64_t next_y = transposed ? 1 : x.size();
  const auto columns = along_x.taps.size();
  const auto& [top, bottom] = along_y.reach;
  std::vector<float> source(static_cast<size_t>(along_x.reach.end - along_x.reach.begin));
  std::vector<float> filtered(static_cast<size_t>(bottom - top) * columns);
  std::vector<float> row(columns);
  for (int64_t channel = 0; channel < image.channels(); ++channel) {
    for (int64_t line = top; line < bottom; ++line) {
      const int64_t start = line * image_width;
      image.read(channel, start + along_x.reach.begin, start + along_x.reach.end, source.data());
      filter_row(along_x, source, filtered.data() + static_cast<size_t>(line - top) * columns);
    }
    float* out = result.data() + channel * plane + x.inside().begin * next_x;
    for (size_t k = 0; k < along_y.taps.size(); ++k) {
      const auto& taps = along_y.taps[k];
      filter_column(taps, filtered.data() + static_cast<size_t>(taps.first - top) * columns, row);
      float* to = out + (y.inside().begin + static_cast<int64_t>(k)) * next_y;
      for (size_t i = 0; i < columns; ++i) to[static_cast<int64_t>(i) * next_x] = row[i];
    }
  }
  return result;
}

}  // namespace cellroute::data
