#include "data/photometric.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace cellroute::data {
namespace {

/** A part of some planes. */
struct Part {
  std::span<float> values;
  int64_t channels;
  int64_t width;
  Span rows;
  Span columns;

  float* row(int64_t channel, int64_t y) const {
    const auto plane = static_cast<int64_t>(values.size()) / channels;
    return values.data() + channel * plane + y * width;
  }

  template <typename Map>
  void each(Map map) const {
    for (int64_t channel = 0; channel < channels; ++channel) {
      for (int64_t y = rows.begin; y < rows.end; ++y) {
        float* row_values = row(channel, y);
        for (int64_t x = columns.begin; x < columns.end; ++x) {
          row_values[x] = std::clamp(map(row_values[x]), 0.0F, 1.0F);
        }
      }
    }
  }
};

/** torchvision's weights of red, green and blue. */
constexpr std::array<double, 3> kGrey{0.2989, 0.587, 0.114};

double mean_grey(const Part& part) {
  double sum = 0;
  for (int64_t channel = 0; channel < part.channels; ++channel) {
    const double weight = part.channels == 1 ? 1 : kGrey.at(static_cast<size_t>(channel));
    for (int64_t y = part.rows.begin; y < part.rows.end; ++y) {
      const float* row = part.row(channel, y);
      double row_sum = 0;
      for (int64_t x = part.columns.begin; x < part.columns.end; ++x) row_sum += row[x];
      sum += weight * row_sum;
    }
  }
  const auto pixels = (part.rows.end - part.rows.begin) * (part.columns.end - part.columns.begin);
  return sum / static_cast<double>(pixels);
}

}  // namespace

void adjust(std::span<float> values, int64_t channels, int64_t width, Span rows, Span columns,
            const Photometric& factors) {
  if (rows.empty() || columns.empty()) return;
  const Part part{values, channels, width, rows, columns};
  const auto [brightness, contrast, gamma] = factors;
  if (brightness != 1) part.each([brightness](float value) { return value * brightness; });
  if (contrast != 1) {
    const auto offset = static_cast<float>((1.0 - contrast) * mean_grey(part));
    part.each([contrast, offset](float value) { return value * contrast + offset; });
  }
  if (gamma != 1) {
    part.each([gamma](float value) { return std::pow(std::max(value, 0.0F), gamma); });
  }
}

}  // namespace cellroute::data
