#include "mask/shapes.h"

#include <algorithm>

#include "error.h"

namespace cellroute::mask {
namespace {

/** Index of the first run that ends after the position. */
size_t first_after(Runs runs, uint32_t position) {
  // Upper bound over begins and ends: an even index is a begin, an odd one the end of its run.
  const auto bound = std::upper_bound(runs.begin(), runs.end(), position) - runs.begin();
  return static_cast<size_t>(bound) & ~size_t{1};
}

/** Pixels that belong to runs of both lists. */
uint32_t common_in_runs(Runs a, Runs b) {
  if (a.empty() || b.empty()) return 0;
  // The list that begins further right is needed from its first run on.
  size_t i = a[0] < b[0] ? first_after(a, b[0]) : 0;
  size_t j = b[0] < a[0] ? first_after(b, a[0]) : 0;
  uint32_t sum = 0;
  while (i < a.size() && j < b.size()) {
    const uint32_t begin = std::max(a[i], b[j]);
    const uint32_t end = std::min(a[i + 1], b[j + 1]);
    sum += end > begin ? end - begin : 0;
    const bool a_ends_first = a[i + 1] < b[j + 1];
    i += a_ends_first ? 2 : 0;
    j += a_ends_first ? 0 : 2;
  }
  return sum;
}

}  // namespace

Shapes::Shapes(std::span<const RleView> masks)
    : height_(masks.empty() ? 0 : masks[0].height),
      width_(masks.empty() ? 0 : masks[0].width),
      layers_(height_) {
  for (const auto& mask : masks) {
    if (mask.height != height_ || mask.width != width_) {
      throw Error("INVALID_ARGUMENT", "Masks of different image sizes cannot be compared");
    }
    counts_ += mask.counts.size();
  }
  layers_.reserve(masks.size(), counts_);
  offsets_.reserve(masks.size() + 1);
  boxes_.reserve(masks.size());
  areas_.reserve(masks.size());
  for (const auto& mask : masks) {
    auto extent = layers_.add(mask);
    if (!extent) {
      extent = {bounding_box(mask), mask::area(mask)};
      bounds_.reserve(counts_);
      for_each_run(mask, [&](uint32_t begin, uint32_t end) {
        bounds_.push_back(begin);
        bounds_.push_back(end);
      });
    }
    boxes_.push_back(extent->box);
    areas_.push_back(extent->area);
    offsets_.push_back(bounds_.size());
  }
}

uint32_t Comparison::common_pixels(const Shapes& others, size_t j) {
  const bool own_layers = own_.has_layers(i_), other_layers = others.has_layers(j);
  if (own_layers && other_layers) return own_.layers_.common_pixels(i_, others.layers_, j);
  if (own_layers && own_runs_.empty()) own_runs_ = own_.runs_in_columns(i_, own_.box(i_));
  const Runs runs = own_layers ? Runs(own_runs_) : own_.runs(i_);
  if (!other_layers) return common_in_runs(runs, others.runs(j));
  return common_in_runs(runs, others.runs_in_columns(j, own_.box(i_)));
}

}  // namespace cellroute::mask
