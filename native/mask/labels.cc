#include "mask/labels.h"

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_map>

#include "error.h"
#include "mask/transpose.h"

namespace cellroute::mask {
namespace {

/** Runs along the rows, grouped by label in order of first appearance. */
class RowRuns {
 public:
  void add(uint32_t label, uint32_t begin, uint32_t end) {
    if (label != last_) {
      last_ = label;
      slot_ = slots_.try_emplace(label, labels_.size()).first->second;
      if (slot_ == labels_.size()) {
        labels_.push_back(label);
        bounds_.emplace_back();
      }
    }
    append_run(bounds_[slot_], begin, end);
  }

  Labelled finish(uint32_t height, uint32_t width) const {
    Labelled result{{}, labels_};
    std::sort(result.ids.begin(), result.ids.end());
    for (const uint32_t label : result.ids) {
      const auto& rows = bounds_[slots_.at(label)];
      result.masks.push_back(from_bounds(height, width, transpose(rows, width, height)));
    }
    return result;
  }

 private:
  uint32_t last_ = 0;  // 0 is background, not a label
  size_t slot_ = 0;
  std::unordered_map<uint32_t, size_t> slots_;
  std::vector<uint32_t> labels_;
  std::vector<Bounds> bounds_;
};

}  // namespace

template <class Label>
Labelled from_labels(std::span<const Label> labels, uint32_t height, uint32_t width) {
  const uint32_t pixels = checked_pixels(height, width);
  if (labels.size() != pixels) {
    throw Error("INVALID_ARGUMENT", "Expected " + std::to_string(pixels) + " labels but received " +
                                        std::to_string(labels.size()));
  }
  RowRuns runs;
  for (uint32_t i = 0; i < pixels;) {
    const Label label = labels[i];
    const uint32_t begin = i;
    while (i < pixels && labels[i] == label) ++i;
    if (label != 0) runs.add(label, begin, i);
  }
  return runs.finish(height, width);
}

template <class Label>
void to_labels(std::span<const RleView> masks, std::span<Label> zeroed) {
  if (masks.size() > std::numeric_limits<Label>::max()) {
    throw Error("INVALID_ARGUMENT", std::to_string(masks.size()) + " masks cannot be numbered in " +
                                        std::to_string(8 * sizeof(Label)) + " bits");
  }
  // From last to first, so that the first mask overwrites the others.
  for (size_t i = masks.size(); i-- > 0;) {
    const auto& mask = masks[i];
    if (zeroed.size() != checked_pixels(mask.height, mask.width)) {
      throw Error("INVALID_ARGUMENT", "The image of labels has another size than the masks");
    }
    const auto rows = transpose(run_bounds(mask), mask.height, mask.width);
    for (size_t k = 0; k < rows.size(); k += 2) {
      const auto run = zeroed.subspan(rows[k], rows[k + 1] - rows[k]);
      std::fill(run.begin(), run.end(), static_cast<Label>(i + 1));
    }
  }
}

template <class Label>
void to_labels_in(std::span<const RleView> masks, std::span<const uint32_t> ids,
                  const Window& window, std::span<Label> zeroed) {
  if (ids.size() != masks.size() || zeroed.size() != size_t{window.width} * window.height) {
    throw Error("INVALID_ARGUMENT", "The labels of a window have the wrong size");
  }
  for (size_t i = masks.size(); i-- > 0;) {
    const auto label = static_cast<Label>(ids[i]);
    for_each_column_piece(masks[i], [&](uint32_t x, uint32_t top, uint32_t bottom) {
      if (x < window.x || x - window.x >= window.width) return;
      const uint32_t first = std::max(top, window.y) - window.y;
      const uint32_t last = bottom <= window.y ? 0 : std::min(bottom - window.y, window.height);
      for (uint32_t y = first; y < last; ++y) {
        zeroed[size_t{y} * window.width + (x - window.x)] = label;
      }
    });
  }
}

template Labelled from_labels(std::span<const uint8_t>, uint32_t, uint32_t);
template Labelled from_labels(std::span<const uint16_t>, uint32_t, uint32_t);
template Labelled from_labels(std::span<const uint32_t>, uint32_t, uint32_t);
template void to_labels(std::span<const RleView>, std::span<uint16_t>);
template void to_labels(std::span<const RleView>, std::span<uint32_t>);
template void to_labels_in(std::span<const RleView>, std::span<const uint32_t>, const Window&,
                           std::span<uint16_t>);
template void to_labels_in(std::span<const RleView>, std::span<const uint32_t>, const Window&,
                           std::span<uint32_t>);

}  // namespace cellroute::mask
