#include "mask/columns.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace cellroute::mask {

Columns::Columns(std::span<const Box> boxes) : order_(boxes.size()) {
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::erase_if(order_, [&](size_t i) { return boxes[i].width == 0; });
  std::sort(order_.begin(), order_.end(),
            [&](size_t i, size_t j) { return boxes[i].x < boxes[j].x; });
  const size_t padded = order_.size() + kBlock;
  for (auto* side : {&lefts_, &rights_, &tops_, &bottoms_}) side->resize(padded);
  reach_.reserve(order_.size());
  for (size_t k = 0; k < order_.size(); ++k) {
    const auto& box = boxes[order_[k]];
    lefts_[k] = box.x;
    rights_[k] = box.x + box.width;
    tops_[k] = box.y;
    bottoms_[k] = box.y + box.height;
    reach_.push_back(std::max(reach_.empty() ? 0 : reach_.back(), rights_[k]));
  }
}

std::pair<size_t, size_t> Columns::beside(const Box& box) const {
  const auto lefts_end = lefts_.begin() + static_cast<std::ptrdiff_t>(order_.size());
  const auto begin = std::upper_bound(reach_.begin(), reach_.end(), box.x);
  const auto end = std::lower_bound(lefts_.begin(), lefts_end, box.x + box.width);
  return {begin - reach_.begin(), end - lefts_.begin()};
}

uint32_t Columns::near_in_block(size_t begin, const Box& box) const {
  const uint32_t left = box.x, right = box.x + box.width;
  const uint32_t top = box.y, bottom = box.y + box.height;
  // Bytes first: the compiler vectorises this loop.
  uint8_t near[kBlock];
  for (size_t k = 0; k < kBlock; ++k) {
    const bool after_left = rights_[begin + k] > left, before_right = lefts_[begin + k] < right;
    const bool below_top = bottoms_[begin + k] > top, above_bottom = tops_[begin + k] < bottom;
    near[k] = static_cast<uint8_t>(after_left & before_right & below_top & above_bottom);
  }
  uint32_t bits = 0;
  for (size_t k = 0; k < kBlock; k += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, near + k, sizeof(bytes));
    // Moves the only bit of each byte to its position in the highest byte.
    bits |= static_cast<uint32_t>(bytes * 0x0102040810204080 >> 56) << k;
  }
  return bits;
}

}  // namespace cellroute::mask
