#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** Begins and ends of runs, as Bounds has them. */
using Runs = std::span<const uint32_t>;

/** What a comparison asks of a set of masks of one size, side by side in memory. */
class Shapes {
 public:
  /** Throws INVALID_ARGUMENT where the sizes differ. */
  explicit Shapes(std::span<const RleView> masks);

  size_t size() const { return boxes_.size(); }
  const Box& box(size_t i) const { return boxes_[i]; }
  uint32_t area(size_t i) const { return areas_[i]; }
  Runs runs(size_t i) const {
    return Runs(bounds_).subspan(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  /** Begins and ends of all masks together. */
  size_t bounds() const { return bounds_.size(); }
  /** 0 where there are no masks. */
  uint32_t height() const { return height_; }
  uint32_t width() const { return width_; }

 private:
  uint32_t height_ = 0;
  uint32_t width_ = 0;
  Bounds bounds_;
  std::vector<size_t> offsets_{0};
  std::vector<Box> boxes_;
  std::vector<uint32_t> areas_;
};

/** Pixels that mask i of `a` and mask j of `b` have in common; their boxes meet. */
uint32_t common_pixels(const Shapes& a, size_t i, const Shapes& b, size_t j);

/** The masks of a set from left to right, so that those beside a box need not be looked at. */
class Columns {
 public:
  explicit Columns(const Shapes& shapes);

  /** Calls fn(index) for each mask whose box shares a pixel with this one. */
  template <class F>
  void for_each_near(const Box& box, F&& fn) const {
    const auto [begin, end] = beside(box);
    for (size_t k = begin; k < end; ++k) {
      const auto& other = boxes_[k];
      if (other.x + other.width > box.x && other.y < box.y + box.height &&
          box.y < other.y + other.height) {
        fn(order_[k]);
      }
    }
  }

  /** How many masks for_each_near() has to look at. */
  size_t count_beside(const Box& box) const {
    const auto [begin, end] = beside(box);
    return end > begin ? end - begin : 0;
  }

 private:
  /** Those whose columns may meet the box's, by place in the order. */
  std::pair<size_t, size_t> beside(const Box& box) const;

  std::vector<size_t> order_;
  std::vector<Box> boxes_;  // in that order, side by side
  std::vector<uint32_t> lefts_;
  std::vector<uint32_t> reach_;  // right end of the widest mask so far
};

}  // namespace cellroute::mask
