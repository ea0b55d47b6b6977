#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mask/layers.h"
#include "mask/rle.h"

namespace cellroute::mask {

/** Begins and ends of runs; see Bounds. */
using Runs = std::span<const uint32_t>;

/** The data of a set of equally sized masks that comparisons need, in contiguous memory. */
class Shapes {
 public:
  /** Throws INVALID_ARGUMENT if the sizes differ. */
  explicit Shapes(std::span<const RleView> masks);

  size_t size() const { return boxes_.size(); }
  const Box& box(size_t i) const { return boxes_[i]; }
  std::span<const Box> boxes() const { return boxes_; }
  uint32_t area(size_t i) const { return areas_[i]; }
  /** Total number of counts of all masks. */
  size_t counts() const { return counts_; }
  /** 0 if there are no masks. */
  uint32_t height() const { return height_; }
  uint32_t width() const { return width_; }

 private:
  friend class Comparison;

  bool has_layers(size_t i) const { return !layers_.of(i).empty(); }
  /** Runs of a mask without layers. */
  Runs runs(size_t i) const {
    return Runs(bounds_).subspan(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  /** Runs of a mask with layers, in the columns of a box. */
  Bounds runs_in_columns(size_t i, const Box& box) const {
    return layers_.runs(i, box.x, box.x + box.width);
  }

  uint32_t height_;
  uint32_t width_;
  size_t counts_ = 0;
  Layers layers_;
  Bounds bounds_;
  std::vector<size_t> offsets_{0};
  std::vector<Box> boxes_;
  std::vector<uint32_t> areas_;
};

/** One mask that is compared with masks of a set. */
class Comparison {
 public:
  Comparison(const Shapes& own, size_t i) : own_(own), i_(i) {}

  /** Number of pixels shared with mask j of the set. The boxes overlap. */
  uint32_t common_pixels(const Shapes& others, size_t j);

 private:
  const Shapes& own_;
  size_t i_;
  Bounds own_runs_;  // set for a mask with layers once it is compared with one without
};

}  // namespace cellroute::mask
