#include "mask/merge.h"

#include <algorithm>
#include <vector>

namespace cellroute::mask {

Rle union_of(std::span<const RleView> masks, uint32_t height, uint32_t width) {
  // Begin in the upper half and end in the lower: sorts as one number.
  std::vector<uint64_t> runs;
  for (const auto& mask : masks) {
    for_each_run(
        mask, [&](uint32_t begin, uint32_t end) { runs.push_back(uint64_t{begin} << 32 | end); });
  }
  std::sort(runs.begin(), runs.end());
  Bounds bounds;
  for (const uint64_t run : runs) {
    const auto begin = static_cast<uint32_t>(run >> 32);
    const auto end = static_cast<uint32_t>(run);
    if (bounds.empty() || begin > bounds.back()) {
      append_run(bounds, begin, end);
    } else {
      bounds.back() = std::max(bounds.back(), end);
    }
  }
  return from_bounds(height, width, bounds);
}

Rle intersection_of(std::span<const RleView> masks, uint32_t height, uint32_t width) {
  Bounds common{0, height * width};
  for (const auto& mask : masks) {
    Bounds both;
    size_t i = 0;
    for_each_run(mask, [&](uint32_t begin, uint32_t end) {
      while (i < common.size() && common[i + 1] <= begin) i += 2;
      for (; i < common.size() && common[i] < end; i += 2) {
        append_run(both, std::max(begin, common[i]), std::min(end, common[i + 1]));
        if (common[i + 1] > end) break;
      }
    });
    common.swap(both);
    if (common.empty()) break;
  }
  return from_bounds(height, width, common);
}

}  // namespace cellroute::mask
