#include "mask/transpose.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "error.h"

namespace cellroute::mask {
namespace {

/** `line` differs from the previous line at positions from..to. */
struct LineChange {
  uint32_t from;
  uint32_t to;
  uint32_t line;
};

/** Compares each line with the previous one: a run across the lines begins or ends exactly where
 *  two neighbours differ. The first line is compared with the last one shifted by one position,
 *  because across the lines the end of one position is followed by the start of the next. */
class LineComparison {
 public:
  LineComparison(uint32_t length, Bounds last_line)
      : length_(length), previous_(std::move(last_line)) {
    for (auto& bound : previous_) ++bound;
  }

  void add(uint32_t line, uint32_t from, uint32_t to) {
    move_to(line);
    append_run(current_, from, to);
  }

  /** The lines first..last belong to the mask over their full length, so they differ only from
   *  their outer neighbours. */
  void add_full(uint32_t first, uint32_t last) {
    add(first, 0, length_);
    if (last == first) return;
    compare();
    current_ = previous_;
    line_ = last;
  }

  const std::vector<LineChange>& finish(uint32_t lines) {
    move_to(lines - 1);
    compare();
    return changes_;
  }

 private:
  void move_to(uint32_t line) {
    if (line == line_) return;
    compare();
    if (line > line_ + 1) {
      ++line_;
      compare();
    }
    line_ = line;
  }

  /** The bounds that only one of the two lines has, in order, are the bounds of their
   *  differences. */
  void compare() {
    if (previous_.empty() && current_.empty()) return;
    size_t p = 0, c = 0;
    bool open = false;
    uint32_t from = 0;
    constexpr uint64_t none = std::numeric_limits<uint64_t>::max();  // above any bound
    while (p < previous_.size() || c < current_.size()) {
      const uint64_t before = p < previous_.size() ? previous_[p] : none;
      const uint64_t now = c < current_.size() ? current_[c] : none;
      p += before <= now;
      c += now <= before;
      if (before == now) continue;
      const auto bound = static_cast<uint32_t>(std::min(before, now));
      if (open) changes_.push_back({from, bound, line_});
      from = bound;
      open = !open;
    }
    previous_.swap(current_);
    current_.clear();
  }

  uint32_t length_;
  uint32_t line_ = 0;
  Bounds previous_;
  Bounds current_;
  std::vector<LineChange> changes_;
};

/** The runs of the last line, relative to its start. */
Bounds last_line(std::span<const uint32_t> bounds, uint32_t line, uint32_t lines) {
  const uint32_t start = line * (lines - 1);
  size_t first = bounds.size();
  while (first > 0 && bounds[first - 1] > start) first -= 2;
  Bounds result;
  for (size_t i = first; i < bounds.size(); i += 2) {
    result.push_back(std::max(bounds[i], start) - start);
    result.push_back(bounds[i + 1] - start);
  }
  return result;
}

/** Positions across the lines, by sorting: for few positions in a large image. */
Bounds sorted_positions(const std::vector<LineChange>& changes, uint32_t lines, uint64_t total) {
  Bounds positions;
  positions.reserve(total);
  for (const auto& change : changes) {
    for (uint32_t i = change.from; i < change.to; ++i) positions.push_back(i * lines + change.line);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

/** The same by counting sort: the changes are in line order and are distributed by position. */
Bounds counting_sorted_positions(const std::vector<LineChange>& changes, uint32_t lines,
                                 uint64_t total, uint32_t low, uint32_t high) {
  std::vector<uint32_t> next(size_t{high - low} + 1, 0);
  for (const auto& change : changes) {
    ++next[change.from - low];
    --next[change.to - low];
  }
  uint32_t here = 0, before = 0;
  for (auto& place : next) {
    here += place;
    place = before;
    before += here;
  }
  Bounds positions(total);
  for (const auto& change : changes) {
    uint32_t position = change.from * lines + change.line;
    for (uint32_t i = change.from; i < change.to; ++i, position += lines) {
      positions[next[i - low]++] = position;
    }
  }
  return positions;
}

}  // namespace

Bounds transpose(std::span<const uint32_t> bounds, uint32_t line, uint32_t lines) {
  if (line == 1 || lines == 1 || bounds.empty()) return {bounds.begin(), bounds.end()};
  LineComparison comparison(line, last_line(bounds, line, lines));
  for (size_t i = 0; i < bounds.size(); i += 2) {
    const uint32_t begin = bounds[i], end = bounds[i + 1];
    uint32_t first = begin / line;
    const uint32_t offset = begin - first * line;
    if (end - begin <= line - offset) {
      comparison.add(first, offset, offset + (end - begin));
      continue;
    }
    const uint32_t last = end / line;
    if (offset > 0) comparison.add(first++, offset, line);
    if (first < last) comparison.add_full(first, last - 1);
    if (end > last * line) comparison.add(last, 0, end - last * line);
  }
  const auto& changes = comparison.finish(lines);

  uint64_t total = 0;
  uint32_t low = line, high = 0;
  for (const auto& change : changes) {
    total += change.to - change.from;
    low = std::min(low, change.from);
    high = std::max(high, change.to);
  }
  if (total > 2 * kMaxRuns) {
    throw Error("RLE_MALFORMED", "The mask has more than " + std::to_string(kMaxRuns) + " runs", 0);
  }
  return high - low <= 4 * total + 4096
             ? counting_sorted_positions(changes, lines, total, low, high)
             : sorted_positions(changes, lines, total);
}

}  // namespace cellroute::mask
