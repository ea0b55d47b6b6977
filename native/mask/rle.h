#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cellroute::mask {

/** One mask as COCO counts: run lengths over the image read column by column, starting with
 *  background (0 if the first pixel belongs to the mask). The counts sum to height * width and
 *  only the first may be 0, so equal masks have equal counts. */
struct Rle {
  uint32_t height = 0;
  uint32_t width = 0;
  std::vector<uint32_t> counts;

  bool operator==(const Rle&) const = default;
};

/** A mask whose memory is owned elsewhere. All functions except the readers of outside input
 *  take views and rely on what `check_counts` guarantees. */
struct RleView {
  uint32_t height = 0;
  uint32_t width = 0;
  std::span<const uint32_t> counts;

  RleView() = default;
  RleView(uint32_t h, uint32_t w, std::span<const uint32_t> c) : height(h), width(w), counts(c) {}
  RleView(const Rle& rle) : height(rle.height), width(rle.width), counts(rle.counts) {}
};

std::vector<RleView> views(std::span<const Rle> masks);

/** The runs of a mask as increasing positions: begin, end, begin, end, ... with ends exclusive.
 *  Positions count pixels in column order (column * height + row) unless stated otherwise. */
using Bounds = std::vector<uint32_t>;

/** x, y, width and height in pixels; all 0 for an empty mask. */
struct Box {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t width = 0;
  uint32_t height = 0;

  bool operator==(const Box&) const = default;
};

/** A mask with more runs is refused before memory is allocated: converting rows to columns can
 *  turn a short text into very many runs. */
inline constexpr uint64_t kMaxRuns = uint64_t{1} << 27;

/** height * width. Throws INVALID_ARGUMENT if a side is 0 or the product does not fit 32 bits,
 *  the size of every position in a mask. */
uint32_t checked_pixels(uint64_t height, uint64_t width);

/** Whether the counts sum to this many pixels and only the first may be 0. */
bool is_whole(std::span<const uint32_t> counts, uint32_t pixels);

/** Throws RLE_MALFORMED with the index of the count unless the counts satisfy the rules of
 *  `Rle`. */
void check_counts(uint32_t height, uint32_t width, std::span<const uint32_t> counts);

uint32_t area(const RleView& mask);

/** The smallest box that contains the mask. */
Box bounding_box(const RleView& mask);

/** Calls fn(begin, end) for each run, in increasing order. */
template <class F>
void for_each_run(const RleView& mask, F&& fn) {
  uint32_t position = 0;
  // An odd last count is background up to the end of the image.
  for (size_t i = 0; i + 1 < mask.counts.size(); i += 2) {
    const uint32_t begin = position + mask.counts[i];
    position = begin + mask.counts[i + 1];
    if (position > begin) fn(begin, position);
  }
}

/** Calls fn(x, top, bottom) for each part of a run within one column, rows top to bottom - 1, by
 *  increasing x and top. */
template <class F>
void for_each_column_piece(const RleView& mask, F&& fn) {
  for_each_run(mask, [&](uint32_t begin, uint32_t end) {
    uint32_t x = begin / mask.height;
    uint32_t top = begin - x * mask.height;
    for (uint32_t left = end - begin; left > 0; ++x, top = 0) {
      const uint32_t length = left < mask.height - top ? left : mask.height - top;
      fn(x, top, top + length);
      left -= length;
    }
  });
}

/** Appends the run begin..end (end exclusive; begin is not below the last end). Adjacent runs
 *  are merged. */
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
