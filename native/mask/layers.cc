#include "mask/layers.h"

#include <algorithm>
#include <limits>

#include "mask/column_walk.h"
#include "round_up.h"

namespace cellroute::mask {
namespace {

/** Most layers after the first that a mask may have. */
constexpr std::ptrdiff_t kMaxLaterRuns = 3;
/** Number of columns compared in one step. Each layer is followed by as many empty columns, so
 *  that its end need not be checked: an empty column shares no pixel with anything. */
constexpr size_t kStep = 8;

/** Shared pixels in that many columns (some more may be read). */
uint32_t common_in_columns(const int16_t* a_tops, const int16_t* a_bottoms, const int16_t* b_tops,
                           const int16_t* b_bottoms, size_t columns) {
  uint32_t sum = 0;
  const size_t steps = divide_up(columns, kStep);
  for (size_t k = 0; k < steps * kStep; ++k) {
    const int16_t top = std::max(a_tops[k], b_tops[k]);
    const int16_t bottom = std::min(a_bottoms[k], b_bottoms[k]);
    const auto both = static_cast<int16_t>(std::max(bottom, top) - top);
    sum += static_cast<uint32_t>(both);
  }
  return sum;
}

}  // namespace

void Layers::reserve(size_t masks, size_t counts) {
  offsets_.reserve(masks + 1);
  layers_.reserve(2 * masks);
  // Most columns have one run.
  make_room(counts / 2 + 2 * kStep * masks);
}

/** Room for that many columns and the empty ones after them. */
void Layers::make_room(size_t columns) {
  const size_t needed = used_ + columns + kStep;
  if (needed <= tops_.size()) return;
  const size_t size = std::max(needed, tops_.size() + tops_.size() / 2);
  tops_.resize(size);
  bottoms_.resize(size);
}

/** Writes the empty columns after the last one. */
void Layers::close_layer(size_t columns) {
  used_ += columns;
  std::fill_n(&tops_[used_], kStep, int16_t{0});
  std::fill_n(&bottoms_[used_], kStep, int16_t{0});
  used_ += kStep;
}

std::optional<Extent> Layers::add(const RleView& mask) {
  const auto extent = add_first_layer(mask);
  if (extent) add_later_layers();
  offsets_.push_back(layers_.size());
  return extent;
}

/** Leaves the later runs of each column in later_. */
std::optional<Extent> Layers::add_first_layer(const RleView& mask) {
  if (height_ > static_cast<uint32_t>(std::numeric_limits<int16_t>::max())) return std::nullopt;
  // With more columns than this, most would be empty.
  const size_t room = mask.counts.size();
  make_room(room);
  if (later_.size() < room) later_.resize(room);
  int16_t* const tops = &tops_[used_];
  int16_t* const bottoms = &bottoms_[used_];
  LaterRun* later = later_.data();
  const std::span<const uint32_t> counts = mask.counts;
  const uint32_t height = height_, first = counts[0] / height;
  ColumnWalk walk(height);
  size_t columns = 0;
  uint32_t top = height, bottom = 0, length = 0;
  for (size_t i = 0; i + 1 < counts.size(); i += 2) {
    walk.skip(uint64_t{length} + counts[i]);
    length = counts[i + 1];
    const uint32_t begin = walk.row(), end = begin + length;
    if (length > height - begin) return std::nullopt;
    const size_t index = walk.column() - first;
    top = std::min(top, begin);
    bottom = std::max(bottom, end);
    if (index < columns) {
      // This column already has the largest allowed number of runs.
      if (later - later_.data() >= kMaxLaterRuns && later[-kMaxLaterRuns].column == walk.column()) {
        return std::nullopt;
      }
      *later++ = {walk.column(), static_cast<int16_t>(begin), static_cast<int16_t>(end)};
      continue;
    }
    if (index >= room) return std::nullopt;
    if (index > columns) {
      std::fill(tops + columns, tops + index, int16_t{0});
      std::fill(bottoms + columns, bottoms + index, int16_t{0});
    }
    tops[index] = static_cast<int16_t>(begin);
    bottoms[index] = static_cast<int16_t>(end);
    columns = index + 1;
  }
  if (columns == 0) return std::nullopt;
  later_count_ = static_cast<size_t>(later - later_.data());
  const auto width = static_cast<uint32_t>(columns);
  layers_.push_back({first, first + width, used_});
  close_layer(columns);
  return Extent{{first, top, width, bottom - top}, area(mask)};
}

void Layers::add_later_layers() {
  const size_t first = layers_.size();
  const std::span<const LaterRun> runs(later_.data(), later_count_);
  const auto for_each_later = [&](auto&& fn) {
    size_t layer = first;
    for (size_t k = 0; k < runs.size(); ++k) {
      layer = k > 0 && runs[k - 1].column == runs[k].column ? layer + 1 : first;
      fn(layer, runs[k]);
    }
  };
  for_each_later([&](size_t layer, const LaterRun& run) {
    if (layer == layers_.size()) layers_.push_back({run.column, 0, 0});
    layers_[layer].end = run.column + 1;
  });
  for (size_t layer = first; layer < layers_.size(); ++layer) {
    const size_t columns = layers_[layer].end - layers_[layer].begin;
    make_room(columns);
    layers_[layer].at = used_;
    std::fill_n(&tops_[used_], columns, int16_t{0});
    std::fill_n(&bottoms_[used_], columns, int16_t{0});
    close_layer(columns);
  }
  for_each_later([&](size_t layer, const LaterRun& run) {
    const size_t at = layers_[layer].at + (run.column - layers_[layer].begin);
    tops_[at] = run.top;
    bottoms_[at] = run.bottom;
  });
}

Bounds Layers::runs(size_t mask, uint32_t begin, uint32_t end) const {
  const auto layers = of(mask);
  begin = std::max(begin, layers[0].begin);
  end = std::min(end, layers[0].end);
  if (begin >= end) return {};
  Bounds bounds(2 * layers.size() * (end - begin));
  size_t written = 0;
  for (uint32_t column = begin; column < end; ++column) {
    for (const auto& layer : layers) {
      if (column < layer.begin || column >= layer.end) continue;
      const size_t at = layer.at + (column - layer.begin);
      bounds[written] = column * height_ + static_cast<uint32_t>(tops_[at]);
      bounds[written + 1] = column * height_ + static_cast<uint32_t>(bottoms_[at]);
      written += bounds[written] < bounds[written + 1] ? 2 : 0;
    }
  }
  bounds.resize(written);
  return bounds;
}

uint32_t Layers::common_pixels(size_t i, const Layers& others, size_t j) const {
  uint32_t sum = 0;
  for (const auto& own : of(i)) {
    for (const auto& other : others.of(j)) {
      const uint32_t begin = std::max(own.begin, other.begin);
      const uint32_t end = std::min(own.end, other.end);
      if (begin >= end) continue;
      const size_t of_own = own.at + (begin - own.begin);
      const size_t of_other = other.at + (begin - other.begin);
      sum += common_in_columns(&tops_[of_own], &bottoms_[of_own], &others.tops_[of_other],
                               &others.bottoms_[of_other], end - begin);
    }
  }
  return sum;
}

}  // namespace cellroute::mask
