#include "metrics/kept.h"

#include <algorithm>

#include "mask/overlap.h"

namespace cellroute::metrics {

Kept keep(std::span<const mask::RleView> masks, const mask::Shapes& shapes,
          std::span<const double> scores, const Pairs& all, const GroundTruthMasks& ground_truth,
          const KeepRule& rule) {
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < masks.size(); ++i) {
    if (scores[i] >= rule.min_score) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
  mask::WithoutOverlaps cut;
  if (rule.max_lost) {
    std::vector<mask::RleView> sorted;
    sorted.reserve(order.size());
    for (const uint32_t i : order) sorted.push_back(masks[i]);
    cut = mask::remove_overlaps(sorted, *rule.max_lost);
    std::vector<uint32_t> left;
    left.reserve(cut.kept.size());
    for (const uint32_t k : cut.kept) left.push_back(order[k]);
    order = std::move(left);
  }
  const mask::Shapes cut_shapes(mask::views(cut.masks));
  Kept kept;
  std::vector<Pair> row;
  for (size_t k = 0; k < order.size(); ++k) {
    const uint32_t i = order[k];
    const uint32_t area = rule.max_lost ? cut_shapes.area(k) : shapes.area(i);
    if (area == 0) continue;
    if (area == shapes.area(i)) {
      row.assign(all.row(i).begin(), all.row(i).end());
    } else {
      ground_truth.append_overlaps(cut_shapes, k, row);
    }
    kept.source.push_back(i);
    kept.areas.push_back(area);
    kept.pairs.add_row(row);
  }
  return kept;
}

}  // namespace cellroute::metrics
