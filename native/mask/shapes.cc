#include "mask/shapes.h"

#include <algorithm>
#include <numeric>

#include "error.h"

namespace cellroute::mask {
namespace {

/** Index of the first run that ends after the position. */
size_t first_after(Runs runs, uint32_t position) {
  // An upper bound over begins and ends alike: an even index is a begin, an odd one the run's end.
  const auto bound = std::upper_bound(runs.begin(), runs.end(), position) - runs.begin();
  return static_cast<size_t>(bound) & ~size_t{1};
}

}  // namespace

Shapes::Shapes(std::span<const RleView> masks) {
  if (masks.empty()) return;
  height_ = masks[0].height;
  width_ = masks[0].width;
  size_t counts = 0;
  for (const auto& mask : masks) {
    if (mask.height != height_ || mask.width != width_) {
      throw Error("INVALID_ARGUMENT", "Masks of different picture sizes cannot be compared");
    }
    counts += mask.counts.size();
  }
  bounds_.reserve(counts);
  offsets_.reserve(masks.size() + 1);
  boxes_.reserve(masks.size());
  areas_.reserve(masks.size());
  for (const auto& mask : masks) {
    uint32_t pixels = 0;
    for_each_run(mask, [&](uint32_t begin, uint32_t end) {
      bounds_.push_back(begin);
      bounds_.push_back(end);
      pixels += end - begin;
    });
    offsets_.push_back(bounds_.size());
    boxes_.push_back(bounding_box(mask));
    areas_.push_back(pixels);
  }
}

uint32_t common_pixels(const Shapes& left, size_t left_index, const Shapes& right,
                       size_t right_index) {
  const Runs a = left.runs(left_index), b = right.runs(right_index);
  const uint32_t a_x = left.box(left_index).x, b_x = right.box(right_index).x;
  // The one that begins further right is needed from its first run on.
  size_t i = a_x < b_x ? first_after(a, b_x * left.height()) : 0;
  size_t j = b_x < a_x ? first_after(b, a_x * left.height()) : 0;
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

Columns::Columns(const Shapes& shapes) : order_(shapes.size()) {
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::erase_if(order_, [&](size_t i) { return shapes.area(i) == 0; });
  std::sort(order_.begin(), order_.end(),
            [&](size_t i, size_t j) { return shapes.box(i).x < shapes.box(j).x; });
  boxes_.reserve(order_.size());
  lefts_.reserve(order_.size());
  reach_.reserve(order_.size());
  for (const size_t i : order_) {
    const auto& box = shapes.box(i);
    boxes_.push_back(box);
    lefts_.push_back(box.x);
    reach_.push_back(std::max(reach_.empty() ? 0 : reach_.back(), box.x + box.width));
  }
}

std::pair<size_t, size_t> Columns::beside(const Box& box) const {
  const auto begin = std::upper_bound(reach_.begin(), reach_.end(), box.x);
  const auto end = std::lower_bound(lefts_.begin(), lefts_.end(), box.x + box.width);
  return {begin - reach_.begin(), end - lefts_.begin()};
}

}  // namespace cellroute::mask
