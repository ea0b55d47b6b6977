#include "metrics/pairs.h"

#include <algorithm>
#include <numeric>

namespace cellroute::metrics {

void Pairs::add_row(std::vector<Pair>& row) {
  std::sort(row.begin(), row.end(),
            [](const Pair& a, const Pair& b) { return a.ground_truth < b.ground_truth; });
  pairs_.insert(pairs_.end(), row.begin(), row.end());
  offsets_.push_back(pairs_.size());
}

void GroundTruthMasks::append_overlaps(const mask::Shapes& predictions, size_t i,
                                       std::vector<Pair>& row) const {
  row.clear();
  mask::Comparison prediction(predictions, i);
  columns_.for_each_near(predictions.box(i), [&](size_t j) {
    const uint32_t common = prediction.common_pixels(shapes_, j);
    if (common == 0) return;
    const bool is_crowd = !crowd_.empty() && crowd_[j] != 0;
    const uint32_t over =
        is_crowd ? predictions.area(i) : predictions.area(i) + (shapes_.area(j) - common);
    row.push_back({static_cast<uint32_t>(j), common, static_cast<double>(common) / over});
  });
}

namespace {

/** Ground-truth boxes sorted by left edge, with the largest width: few boxes have to be examined.
 */
struct BoxColumns {
  std::vector<uint32_t> order;
  double widest = 0;

  explicit BoxColumns(std::span<const double> boxes) : order(boxes.size() / 4) {
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return boxes[4 * size_t{a}] < boxes[4 * size_t{b}]; });
    for (size_t i = 0; i < order.size(); ++i) widest = std::max(widest, boxes[4 * i + 2]);
  }
};

}  // namespace

Pairs box_pairs(std::span<const double> predicted, std::span<const double> ground_truth,
                std::span<const uint8_t> crowd) {
  const BoxColumns columns(ground_truth);
  Pairs pairs;
  std::vector<Pair> row;
  for (size_t i = 0; i + 3 < predicted.size(); i += 4) {
    const double x = predicted[i], y = predicted[i + 1];
    const double width = predicted[i + 2], height = predicted[i + 3];
    row.clear();
    const auto begin = std::lower_bound(
        columns.order.begin(), columns.order.end(), x - columns.widest,
        [&](uint32_t j, double left) { return ground_truth[4 * size_t{j}] < left; });
    for (auto it = begin; it != columns.order.end(); ++it) {
      const double* other = &ground_truth[4 * size_t{*it}];
      if (other[0] >= x + width) break;
      // In pycocotools' order of operations: the last bit decides at a threshold.
      const double w = std::min(width + x, other[2] + other[0]) - std::max(x, other[0]);
      if (w <= 0) continue;
      const double h = std::min(height + y, other[3] + other[1]) - std::max(y, other[1]);
      if (h <= 0) continue;
      const double common = w * h;
      const double own = width * height;
      const bool is_crowd = !crowd.empty() && crowd[*it] != 0;
      const double over = is_crowd ? own : own + other[2] * other[3] - common;
      row.push_back({*it, 0, common / over});
    }
    pairs.add_row(row);
  }
  return pairs;
}

}  // namespace cellroute::metrics
