#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mask/rle.h"
#include "mask/shapes.h"

namespace cellroute::mask {

/** The masks of a set from left to right, so that those beside a box need not be looked at. */
class Columns {
 public:
  explicit Columns(const Shapes& shapes);

  /** Calls fn(index) for each mask whose box shares a pixel with this one. */
  template <class F>
  void for_each_near(const Box& box, F&& fn) const {
    const auto [begin, end] = beside(box);
    for (size_t block = begin; block < end; block += kBlock) {
      for (uint32_t near = near_in_block(block, box); near != 0; near &= near - 1) {
        fn(order_[block + static_cast<size_t>(std::countr_zero(near))]);
      }
    }
  }

  /** How many masks for_each_near() has to look at. */
  size_t count_beside(const Box& box) const {
    const auto [begin, end] = beside(box);
    return end > begin ? end - begin : 0;
  }

 private:
  static constexpr size_t kBlock = 32;

  /** Those whose columns may meet the box's, by place in the order. */
  std::pair<size_t, size_t> beside(const Box& box) const;

  /** One bit for each of the masks from that place on. */
  uint32_t near_in_block(size_t begin, const Box& box) const;

  std::vector<size_t> order_;
  // The boxes in that order, side by side. Empty ones at the end fill the last block.
  std::vector<uint32_t> lefts_, rights_, tops_, bottoms_;
  std::vector<uint32_t> reach_;  // right end of the widest mask so far
};

}  // namespace cellroute::mask
