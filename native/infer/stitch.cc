#include "infer/stitch.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <tuple>
#include <utility>

#include "mask/columns.h"
#include "mask/merge.h"
#include "mask/shapes.h"
#include "mask/within.h"

namespace cellroute::infer {
namespace {

constexpr double kSameCellAgreement = 0.5;

/** Two detections that may be the same cell. */
struct Link {
  double agreement;
  size_t a;
  size_t b;
};

/** Agreement, 0 to 1, of two detections with `common` shared pixels on the area that both tiles
 *  see. */
double agreement(const TileDetection& a, const TileDetection& b, uint32_t common,
                 std::span<const mask::Box> windows) {
  const double of_a = mask::area_within(a.mask, windows[b.tile]);
  const double of_b = mask::area_within(b.mask, windows[a.tile]);
  // Pasting may place a pixel outside its tile's window.
  const double shared = std::min({double{0} + common, of_a, of_b});
  if (shared == 0) return 0;
  if (a.cut == b.cut) return shared / (of_a + of_b - shared);
  return shared / (a.cut ? of_a : of_b);
}

mask::Shapes shapes_of(const std::vector<TileDetection>& detections) {
  std::vector<mask::RleView> masks;
  masks.reserve(detections.size());
  for (const auto& one : detections) masks.emplace_back(one.mask);
  return mask::Shapes(masks);
}

/** Highest agreement first. */
std::vector<Link> find_links(const std::vector<TileDetection>& detections,
                             std::span<const mask::Box> windows) {
  const auto shapes = shapes_of(detections);
  const mask::Columns columns(shapes);
  std::vector<Link> links;
  for (size_t a = 0; a < detections.size(); ++a) {
    mask::Comparison one(shapes, a);
    columns.for_each_near(shapes.box(a), [&](size_t b) {
      if (b <= a || detections[a].tile == detections[b].tile ||
          detections[a].label != detections[b].label)
        return;
      const auto common = one.common_pixels(shapes, b);
      if (common == 0) return;
      const double agreed = agreement(detections[a], detections[b], common, windows);
      if (agreed >= kSameCellAgreement) links.push_back({agreed, a, b});
    });
  }
  std::sort(links.begin(), links.end(), [](const Link& one, const Link& other) {
    return std::tie(other.agreement, one.a, one.b) < std::tie(one.agreement, other.a, other.b);
  });
  return links;
}

/** The detections of each cell, at most one per tile: a tile that detected two separates them. */
std::vector<std::vector<size_t>> group(const std::vector<TileDetection>& detections,
                                       const std::vector<Link>& links) {
  std::vector<std::vector<size_t>> groups(detections.size());
  std::vector<size_t> group_of(detections.size());
  std::iota(group_of.begin(), group_of.end(), size_t{0});
  for (size_t i = 0; i < detections.size(); ++i) groups[i] = {i};
  const auto share_a_tile = [&](size_t a, size_t b) {
    return std::any_of(groups[a].begin(), groups[a].end(), [&](size_t i) {
      return std::any_of(groups[b].begin(), groups[b].end(),
                         [&](size_t j) { return detections[i].tile == detections[j].tile; });
    });
  };
  for (const auto& link : links) {
    const size_t into = group_of[link.a], from = group_of[link.b];
    if (into == from || share_a_tile(into, from)) continue;
    for (const size_t i : groups[from]) {
      group_of[i] = into;
      groups[into].push_back(i);
    }
    groups[from].clear();
  }
  return groups;
}

/** Whether a tile whose core contains one of the detections is among those that detected the
 *  cell. */
bool found_by_owner(const std::vector<TileDetection>& detections,
                    const std::vector<size_t>& members) {
  return std::any_of(members.begin(), members.end(), [&](size_t i) {
    return std::any_of(members.begin(), members.end(),
                       [&](size_t j) { return detections[i].owner == detections[j].tile; });
  });
}

/** Complete before cut, then in its tile's core before elsewhere, then by score. */
std::tuple<bool, bool, float> rank(const TileDetection& one) {
  return {!one.cut, !one.cut && one.owner == one.tile, one.score};
}

TileDetection join(const std::vector<TileDetection>& detections, const std::vector<size_t>& parts,
                   TileDetection best) {
  std::vector<mask::RleView> masks;
  for (const size_t i : parts) {
    const auto& box = detections[i].box;
    for (const size_t side : {0, 1}) best.box[side] = std::min(best.box[side], box[side]);
    for (const size_t side : {2, 3}) best.box[side] = std::max(best.box[side], box[side]);
    masks.emplace_back(detections[i].mask);
  }
  best.mask = mask::union_of(masks, best.mask.height, best.mask.width);
  return best;
}

}  // namespace

std::vector<TileDetection> stitch(std::vector<TileDetection> detections,
                                  std::span<const mask::Box> windows) {
  const auto groups = group(detections, find_links(detections, windows));
  std::vector<TileDetection> cells;
  for (const auto& members : groups) {
    if (!found_by_owner(detections, members)) continue;
    const size_t best = *std::max_element(members.begin(), members.end(), [&](size_t a, size_t b) {
      return rank(detections[a]) < rank(detections[b]);
    });
    const bool in_parts = members.size() > 1 && detections[best].cut;
    cells.push_back(in_parts ? join(detections, members, detections[best])
                             : std::move(detections[best]));
  }
  // Equal scores are ordered by place: the order must not depend on which rows were stitched first.
  std::stable_sort(cells.begin(), cells.end(), [](const TileDetection& a, const TileDetection& b) {
    return std::tie(b.score, a.box[1], a.box[0]) < std::tie(a.score, b.box[1], b.box[0]);
  });
  return cells;
}

std::vector<uint32_t> connected_to(const std::vector<TileDetection>& detections,
                                   const std::function<bool(const TileDetection&)>& condition) {
  const auto shapes = shapes_of(detections);
  const mask::Columns columns(shapes);
  std::vector<uint8_t> found(detections.size());
  std::vector<size_t> next;
  const auto add = [&](size_t i) {
    if (std::exchange(found[i], uint8_t{1}) == 0) next.push_back(i);
  };
  for (size_t i = 0; i < detections.size(); ++i) {
    if (condition(detections[i])) add(i);
  }
  while (!next.empty()) {
    const size_t i = next.back();
    next.pop_back();
    mask::Comparison one(shapes, i);
    columns.for_each_near(shapes.box(i), [&](size_t j) {
      if (found[j] == 0 && one.common_pixels(shapes, j) > 0) add(j);
    });
  }
  std::vector<uint32_t> indices;
  for (size_t i = 0; i < detections.size(); ++i) {
    if (found[i] != 0) indices.push_back(static_cast<uint32_t>(i));
  }
  return indices;
}

}  // namespace cellroute::infer
