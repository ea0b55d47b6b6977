#include "mask/rle.h"

#include <algorithm>
#include <limits>
#include <string>

#include "error.h"

namespace cellroute::mask {

std::vector<RleView> views(std::span<const Rle> masks) { return {masks.begin(), masks.end()}; }

uint32_t checked_pixels(uint64_t height, uint64_t width) {
  constexpr uint64_t limit = std::numeric_limits<uint32_t>::max();
  if (height == 0 || width == 0 || height > limit || width > limit / height) {
    throw Error("INVALID_ARGUMENT", "Expected a picture of 1 to " + std::to_string(limit) +
                                        " pixels but received " + std::to_string(height) +
                                        " rows of " + std::to_string(width));
  }
  return static_cast<uint32_t>(height * width);
}

void check_counts(uint32_t height, uint32_t width, std::span<const uint32_t> counts) {
  const uint64_t pixels = checked_pixels(height, width);
  if (counts.empty()) {
    throw Error("RLE_MALFORMED", "A mask without any count: even an empty one has one", 0);
  }
  uint64_t sum = 0;
  bool zero = false;
  for (size_t i = 1; i < counts.size(); ++i) {
    zero |= counts[i] == 0;
    sum += counts[i];
  }
  if (!zero && sum + counts[0] == pixels) return;
  // Something is wrong: what, and where first?
  sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0 && i > 0) {
      throw Error("RLE_MALFORMED", "Count " + std::to_string(i) + " is 0: only the first may be",
                  i);
    }
    sum += counts[i];
    if (sum > pixels) {
      throw Error("RLE_MALFORMED",
                  "Counts run past the picture's " + std::to_string(pixels) + " pixels at count " +
                      std::to_string(i),
                  i);
    }
  }
  if (sum != pixels) {
    throw Error("RLE_MALFORMED",
                "Counts sum to " + std::to_string(sum) + " but the picture has " +
                    std::to_string(pixels) + " pixels",
                counts.size());
  }
}

uint32_t area(const RleView& mask) {
  uint32_t sum = 0;
  for (size_t i = 1; i < mask.counts.size(); i += 2) sum += mask.counts[i];
  return sum;
}

Box bounding_box(const RleView& mask) {
  const uint32_t height = mask.height;
  uint32_t first = 0, last = 0, top = height, bottom = 0;
  bool any = false;
  uint32_t column = 0;
  uint64_t column_end = height;
  for_each_run(mask, [&](uint32_t begin, uint32_t end) {
    // Most runs are in the column of the one before or in the next: no division is needed.
    if (begin >= column_end) {
      column = begin < column_end + height ? column + 1 : begin / height;
      column_end = (uint64_t{column} + 1) * height;
    }
    if (!any) first = column;
    any = true;
    if (end <= column_end) {
      last = column;
      const auto row = static_cast<uint32_t>(begin + height - column_end);
      top = std::min(top, row);
      bottom = std::max(bottom, row + (end - begin));
    } else {
      // Over the foot of one column into the head of the next.
      last = (end - 1) / height;
      top = 0;
      bottom = height;
    }
  });
  if (!any) return {};
  return {first, top, last - first + 1, bottom - top};
}

Bounds run_bounds(const RleView& mask) {
  Bounds bounds;
  bounds.reserve(mask.counts.size());
  for_each_run(mask, [&](uint32_t begin, uint32_t end) {
    bounds.push_back(begin);
    bounds.push_back(end);
  });
  return bounds;
}

Rle from_bounds(uint32_t height, uint32_t width, std::span<const uint32_t> bounds) {
  Rle mask{height, width, {}};
  mask.counts.reserve(bounds.size() + 1);
  uint32_t position = 0;
  for (const uint32_t bound : bounds) {
    mask.counts.push_back(bound - position);
    position = bound;
  }
  const uint32_t pixels = height * width;
  if (position < pixels) mask.counts.push_back(pixels - position);
  return mask;
}

}  // namespace cellroute::mask
