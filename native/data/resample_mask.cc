#include "data/resample_mask.h"

#include <algorithm>
#include <string>
#include <vector>

#include "error.h"
#include "mask/transpose.h"

namespace cellroute::data {
namespace {

/** The part of a run in one line: a column, or a row of a transposed mask. */
struct Piece {
  uint32_t line;
  uint32_t begin;
  uint32_t end;
};

/** Calls visit(piece) for the part of every run in every line, in order. */
template <typename Visit>
void for_each_piece(const mask::Bounds& bounds, uint32_t length, Visit visit) {
  for (size_t i = 0; i < bounds.size(); i += 2) {
    for (uint32_t begin = bounds[i]; begin < bounds[i + 1];) {
      const uint32_t line = begin / length;
      const uint32_t start = line * length;
      const uint32_t end = std::min(bounds[i + 1] - start, length);
      visit(Piece{.line = line, .begin = begin - start, .end = end});
      // The sum could exceed 32 bits in the last line.
      if (bounds[i + 1] - start == end) break;
      begin = start + length;
    }
  }
}

/** The runs that the pieces of one line become, relative to the sample's edge. */
void map_line(std::vector<Piece>& pieces, const Axis& inner, mask::Bounds& runs) {
  runs.clear();
  if (inner.backwards()) std::ranges::reverse(pieces);
  for (const auto& piece : pieces) {
    const Span span = inner.over(piece.begin, piece.end);
    mask::append_run(runs, static_cast<uint32_t>(span.begin), static_cast<uint32_t>(span.end));
  }
}

}  // namespace

mask::Rle resample_mask(const mask::RleView& mask, const Axis& x, const Axis& y, bool transposed) {
  // Lines of the source become columns of the sample, which count its runs.
  const Axis& outer = transposed ? y : x;
  const Axis& inner = transposed ? x : y;
  auto bounds = mask::run_bounds(mask);
  if (transposed) bounds = mask::transpose(bounds, mask.height, mask.width);

  std::vector<std::vector<Piece>> lines;
  for_each_piece(bounds, transposed ? mask.width : mask.height, [&](const Piece& piece) {
    if (outer.over(piece.line, piece.line + 1).empty()) return;
    if (lines.empty() || lines.back().front().line != piece.line) lines.emplace_back();
    lines.back().push_back(piece);
  });
  if (outer.backwards()) std::ranges::reverse(lines);

  const auto height = static_cast<uint32_t>(inner.size());
  mask::Bounds runs, result;
  for (auto& pieces : lines) {
    const Span columns = outer.over(pieces.front().line, pieces.front().line + 1);
    map_line(pieces, inner, runs);
    for (auto column = static_cast<uint32_t>(columns.begin); column < columns.end; ++column) {
      for (size_t i = 0; i < runs.size(); i += 2) {
        mask::append_run(result, column * height + runs[i], column * height + runs[i + 1]);
      }
      if (result.size() > 2 * mask::kMaxRuns) {
        throw Error("RLE_MALFORMED",
                    "The mask has more than " + std::to_string(mask::kMaxRuns) + " runs", 0);
      }
    }
  }
  return mask::from_bounds(height, static_cast<uint32_t>(outer.size()), result);
}

uint32_t shown_area(const mask::RleView& mask, const Axis& x, const Axis& y) {
  uint32_t area = 0;
  for_each_piece(mask::run_bounds(mask), mask.height, [&](const Piece& piece) {
    if (piece.line < x.source().begin || piece.line >= x.source().end) return;
    const auto begin = std::max<int64_t>(piece.begin, y.source().begin);
    const auto end = std::min<int64_t>(piece.end, y.source().end);
    if (begin < end) area += static_cast<uint32_t>(end - begin);
  });
  return area;
}

}  // namespace cellroute::data
