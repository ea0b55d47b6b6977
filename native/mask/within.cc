#include "mask/within.h"

#include <algorithm>

namespace cellroute::mask {

uint32_t area_within(const RleView& mask, const Box& box) {
  const uint64_t right = uint64_t{box.x} + box.width, bottom = uint64_t{box.y} + box.height;
  uint64_t area = 0;
  for_each_run(mask, [&](uint32_t begin, uint32_t end) {
    // A run continues in the next column where it reaches the bottom of the image.
    for (uint64_t at = begin; at < end;) {
      const uint64_t x = at / mask.height, top = x * mask.height;
      const uint64_t next = std::min<uint64_t>(end, top + mask.height);
      const uint64_t first = std::max<uint64_t>(at - top, box.y);
      const uint64_t last = std::min(next - top, bottom);
      if (x >= box.x && x < right && first < last) area += last - first;
      at = next;
    }
  });
  return static_cast<uint32_t>(area);
}

}  // namespace cellroute::mask
