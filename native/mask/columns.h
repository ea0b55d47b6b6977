#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "mask/rle.h"
#include "mask/shapes.h"

namespace cellroute::mask {

/** The masks of a set sorted by their left edge, so that masks far from a box are skipped. */
class Columns {
 public:
  /** Masks without pixels are skipped. */
  explicit Columns(std::span<const Box> boxes);
  explicit Columns(const Shapes& shapes) : Columns(shapes.boxes()) {}

  /** Calls fn(index) for each mask whose box overlaps this box. */
  template <class F>
  void for_each_near(const Box& box, F&& fn) const {
    const auto [begin, end] = beside(box);
    for (size_t block = begin; block < end; block += kBlock) {
      for (uint32_t near = near_in_block(block, box); near != 0; near &= near - 1) {
        fn(order_[block + static_cast<size_t>(std::countr_zero(near))]);
      }
    }
  }

  /** Number of masks that for_each_near() has to examine. */
  size_t count_near(const Box& box) const {
    const auto [begin, end] = beside(box);
    return end > begin ? end - begin : 0;
  }

 private:
  static constexpr size_t kBlock = 32;

  /** Range of positions in the order whose columns may overlap the box. */
  std::pair<size_t, size_t> beside(const Box& box) const;

  /** One bit for each of the 64 masks from that position on. */
  uint32_t near_in_block(size_t begin, const Box& box) const;

  std::vector<size_t> order_;
  // Boxes in sorted order, one array per side. Empty boxes pad the last block.
  std::vector<uint32_t> lefts_, rights_, tops_, bottoms_;
  std::vector<uint32_t> reach_;  // largest right edge of all masks up to this one
};

}  // namespace cellroute::mask
