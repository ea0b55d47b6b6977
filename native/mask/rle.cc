#include "mask/rle.h"

#include <algorithm>
#include <limits>
#include <string>

#include "error.h"
#include "mask/column_walk.h"

namespace cellroute::mask {

std::vector<RleView> views(std::span<const Rle> masks) { return {masks.begin(), masks.end()}; }

uint32_t checked_pixels(uint64_t height, uint64_t width) {
  constexpr uint64_t limit = std::numeric_limits<uint32_t>::max();
  if (height == 0 || width == 0 || height > limit || width > limit / height) {
    throw Error("INVALID_ARGUMENT", "Expected an image of 1 to " + std::to_string(limit) +
                                        " pixels but received " + std::to_string(height) +
                                        " rows of " + std::to_string(width));
  }
  return static_cast<uint32_t>(height * width);
}

bool is_whole(std::span<const uint32_t> counts, uint32_t pixels) {
  if (counts.empty()) return false;
  // Sums the 16-bit halves, which fit 32 bits: the compiler adds four at a time.
  constexpr size_t block = size_t{1} << 16;
  uint64_t sum = 0;
  uint32_t zeros = 0;
  for (size_t begin = 0; begin < counts.size(); begin += block) {
    uint32_t low = 0, high = 0;
    for (const uint32_t count : counts.subspan(begin, std::min(block, counts.size() - begin))) {
      low += count & 0xffff;
      high += count >> 16;
      zeros += count == 0;
    }
    sum += (uint64_t{high} << 16) + low;
  }
  return sum == pixels && zeros == (counts.front() == 0 ? 1 : 0);
}

void check_counts(uint32_t height, uint32_t width, std::span<const uint32_t> counts) {
  const uint32_t pixels = checked_pixels(height, width);
  if (counts.empty()) {
    throw Error("RLE_MALFORMED", "A mask without any count: even an empty one has one", 0);
  }
  if (is_whole(counts, pixels)) return;
  // The counts are invalid: find the first error.
  uint64_t sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0 && i > 0) {
      throw Error("RLE_MALFORMED", "Count " + std::to_string(i) + " is 0: only the first may be",
                  i);
    }
    sum += counts[i];
    if (sum > pixels) {
      throw Error("RLE_MALFORMED",
                  "Counts run past the image's " + std::to_string(pixels) + " pixels at count " +
                      std::to_string(i),
                  i);
    }
  }
  if (sum != pixels) {
    throw Error("RLE_MALFORMED",
                "Counts sum to " + std::to_string(sum) + " but the image has " +
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
  ColumnWalk walk(height);
  for_each_run(mask, [&, position = uint32_t{0}](uint32_t begin, uint32_t end) mutable {
    walk.skip(begin - position);
    position = begin;
    if (bottom == 0) first = walk.column();
    last = walk.column();
    if (end - begin <= height - walk.row()) {
      top = std::min(top, walk.row());
      bottom = std::max(bottom, walk.row() + (end - begin));
    } else {
      // From the bottom of one column to the top of the next.
      last += static_cast<uint32_t>((uint64_t{walk.row()} + (end - begin) - 1) / height);
      top = 0;
      bottom = height;
    }
  });
  if (bottom == 0) return {};
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
