#include "measure/neighbors.h"

#include <atomic>
#include <cstddef>

#include "mask/columns.h"
#include "measure/blocks.h"
#include "measure/pieces.h"

namespace cellroute::measure {
namespace {

/** Whether a pixel of one mask is a pixel of the other, or beside or diagonally to one. */
bool are_adjacent(std::span<const Piece> a, std::span<const Piece> b) {
  for (const int64_t shift : {-1, 0, 1}) {
    for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
      const int64_t x = int64_t{a[i].x} + shift;
      if (x != b[j].x) {
        ++(x < b[j].x ? i : j);
      } else if (a[i].bottom + 1 <= b[j].top) {
        ++i;
      } else if (b[j].bottom + 1 <= a[i].top) {
        ++j;
      } else {
        return true;
      }
    }
  }
  return false;
}

/** One pixel more on each side, within the range of positions. */
mask::Box grown(const mask::Box& box) {
  const uint32_t left = box.x > 0 ? 1 : 0, top = box.y > 0 ? 1 : 0;
  return {box.x - left, box.y - top, box.width + left + 1, box.height + top + 1};
}

}  // namespace

std::vector<double> count_neighbors(std::span<const mask::RleView> masks, uint64_t threads,
                                    const Progress& progress) {
  std::vector<mask::Box> boxes;
  boxes.reserve(masks.size());
  for (const auto& mask : masks) boxes.push_back(mask::bounding_box(mask));
  const mask::Columns columns(boxes);
  std::vector<std::atomic<uint32_t>> counts(masks.size());
  for_each_block(masks.size(), threads, progress, [&](size_t begin, size_t end) {
    std::vector<Piece> own, other;
    for (size_t i = begin; i < end; ++i) {
      if (boxes[i].width == 0) continue;
      own.clear();
      columns.for_each_near(grown(boxes[i]), [&](size_t j) {
        if (j <= i) return;
        if (own.empty()) read_pieces(masks[i], own);
        read_pieces(masks[j], other);
        if (!are_adjacent(own, other)) return;
        counts[i].fetch_add(1, std::memory_order_relaxed);
        counts[j].fetch_add(1, std::memory_order_relaxed);
      });
    }
  });
  return {counts.begin(), counts.end()};
}

}  // namespace cellroute::measure
