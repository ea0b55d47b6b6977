#include "infer/cells.h"

#include <cstddef>
#include <utility>

#include "engine/profile.h"
#include "mask/overlap.h"

namespace cellroute::infer {
namespace {

/** Keeps the cells at the increasing indices `kept`. */
void select(Cells& cells, const std::vector<uint32_t>& kept) {
  Cells result;
  result.detections_capped = cells.detections_capped;
  result.proposals_capped = cells.proposals_capped;
  for (const uint32_t i : kept) {
    const auto box = cells.boxes.begin() + std::ptrdiff_t{4} * i;
    result.boxes.insert(result.boxes.end(), box, box + 4);
    result.scores.push_back(cells.scores[i]);
    result.labels.push_back(cells.labels[i]);
    result.areas.push_back(cells.areas[i]);
    result.masks.push_back(std::move(cells.masks[i]));
  }
  cells = std::move(result);
}

void measure_areas(Cells& cells) {
  cells.areas.clear();
  for (const auto& rle : cells.masks) {
    cells.areas.push_back(static_cast<uint32_t>(mask::area(rle)));
  }
}

void remove_overlaps(Cells& cells, double max_lost) {
  const std::vector<mask::RleView> masks(cells.masks.begin(), cells.masks.end());
  auto disjoint = mask::remove_overlaps(masks, max_lost);
  for (size_t i = 0; i < disjoint.kept.size(); ++i) {
    cells.masks[disjoint.kept[i]] = std::move(disjoint.masks[i]);
  }
  select(cells, disjoint.kept);
  measure_areas(cells);
}

void remove_small(Cells& cells, uint32_t min_area) {
  std::vector<uint32_t> kept;
  for (uint32_t i = 0; i < cells.areas.size(); ++i) {
    if (cells.areas[i] >= min_area) kept.push_back(i);
  }
  if (kept.size() < cells.areas.size()) select(cells, kept);
}

}  // namespace

void filter_by_area_and_overlap(Cells& cells, uint32_t min_area,
                                const std::optional<double>& max_lost) {
  const StageScope stage("overlaps");
  measure_areas(cells);
  // Before overlap removal: a mask that is too small must not take pixels from a cell.
  remove_small(cells, min_area);
  if (!max_lost) return;
  remove_overlaps(cells, *max_lost);
  remove_small(cells, min_area);
}

}  // namespace cellroute::infer
