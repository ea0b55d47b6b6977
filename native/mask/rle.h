#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cellroute::mask {

/** One mask as COCO counts: lengths of runs over the image read column by column, the first of
 *  them background (0 where the first pixel belongs to the mask). The counts sum to height*width,
 *  and none but the first is 0: two masks of the same pixels have the same counts. */
struct Rle {
  uint32_t height = 0;
  uint32_t width = 0;
  std::vector<uint32_t> counts;

  bool operator==(const Rle&) const = default;
};

/** A mask that somebody else owns. Everything but the readers of outside input takes views, and
 *  relies on what `check_counts` promises about them. */
struct RleView {
  uint32_t height = 0;
  uint32_t width = 0;
  std::span<const uint32_t> counts;

  RleView() = default;
  RleView(uint32_t h, uint32_t w, std::span<const uint32_t> c) : height(h), width(w), counts(c) {}
  RleView(const Rle& rle) : height(rle.height), width(rle.width), counts(rle.counts) {}
};

std::vector<RleView> views(std::span<const Rle> masks);

/** Runs of a mask as positions that rise: begin, end, begin, end, … with ends exclusive. Positions
 *  count pixels down the columns (column * height + row) unless a function says otherwise. */
using Bounds = std::vector<uint32_t>;

/** x, y, width and height in pixels; all 0 for a mask without pixels. */
struct Box {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t width = 0;
  uint32_t height = 0;

  bool operator==(const Box&) const = default;
};

/** A mask is refused above this many runs, before memory for them is asked for: a short text can
 *  stand for very many runs once rows become columns. */
inline constexpr uint64_t kMaxRuns = uint64_t{1} << 27;

/** height * width. Throws INVALID_ARGUMENT where one of them is 0 or the product does not fit 32
 *  bits, as every position in a mask must. */
uint32_t checked_pixels(uint64_t height, uint64_t width);

/** Whether the counts sum to so many pixels and none but the first is 0. */
bool is_whole(std::span<const uint32_t> counts, uint32_t pixels);

/** Throws RLE_MALFORMED, with the index of the count, unless the counts are as `Rle` has them. */
void check_counts(uint32_t height, uint32_t width, std::span<const uint32_t> counts);

uint32_t area(const RleView& mask);

/** The smallest box around the mask's pixels. */
Box bounding_box(const RleView& mask);

/** Calls fn(begin, end) for each run, in rising order. */
template <class F>
void for_each_run(const RleView& mask, F&& fn) {
  uint32_t position = 0;
  // An odd last count is background that reaches the end of the image.
  for (size_t i = 0; i + 1 < mask.counts.size(); i += 2) {
    const uint32_t begin = position + mask.counts[i];
    position = begin + mask.counts[i + 1];
    if (position > begin) fn(begin, position);
  }
}

/** Adds the run begin..end (end exclusive, begin not below what is there); joins runs that touch.
 */
inline void append_run(Bounds& bounds, uint32_t begin, uint32_t end) {
  if (begin == end) return;
  if (!bounds.empty() && bounds.back() == begin) {
    bounds.back() = end;
  } else {
    bounds.push_back(begin);
    bounds.push_back(end);
  }
}

Bounds run_bounds(const RleView& mask);
Rle from_bounds(uint32_t height, uint32_t width, std::span<const uint32_t> bounds);

}  // namespace cellroute::mask
