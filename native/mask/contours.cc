#include "mask/contours.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <tuple>

namespace cellroute::mask {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

/** A rectangle of mask pixels: a run within one column, or adjacent columns that belong to the
 *  mask over their full height. */
struct Slab {
  uint32_t left, right;
  uint32_t top, bottom;
};

/** A straight piece of outline. The mask is on its left (on its right where y grows downwards). */
struct Edge {
  Corner from;
  Corner to;
  uint32_t slab;

  bool horizontal() const { return from.y == to.y; }
};

auto key(const Corner& corner) { return std::tie(corner.x, corner.y); }

std::vector<Slab> slabs_of(const RleView& mask) {
  const uint32_t height = mask.height;
  std::vector<Slab> slabs;
  for_each_run(mask, [&](uint32_t begin, uint32_t end) {
    uint32_t first = begin / height;
    const uint32_t row = begin - first * height;
    if (end - begin <= height - row) {
      slabs.push_back({first, first + 1, row, row + (end - begin)});
      return;
    }
    const uint32_t last = end / height;
    if (row > 0) {
      slabs.push_back({first, first + 1, row, height});
      ++first;
    }
    if (first < last) slabs.push_back({first, last, 0, height});
    if (end > last * height) slabs.push_back({last, last + 1, 0, end - last * height});
  });
  return slabs;
}

/** Union-find over slabs that share a side. The first slab of a component is its representative. */
class Components {
 public:
  explicit Components(size_t slabs) : parents_(slabs) {
    std::iota(parents_.begin(), parents_.end(), 0);
  }

  uint32_t find(uint32_t slab) {
    while (parents_[slab] != slab) {
      parents_[slab] = parents_[parents_[slab]];
      slab = parents_[slab];
    }
    return slab;
  }

  void join(uint32_t a, uint32_t b) {
    a = find(a);
    b = find(b);
    parents_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<uint32_t> parents_;
};

/** Slabs begin..end, all with the same columns. */
struct Group {
  uint32_t begin;
  uint32_t end;
};

/** Calls touch(slab, other) for slabs that share a side, and free(slab, top, bottom) for the
 *  parts of a group's side that no slab of the other group borders. */
template <class Touch, class FreeSide>
void compare_sides(std::span<const Slab> slabs, Group group, Group others, Touch&& touch,
                   FreeSide&& free) {
  uint32_t next = others.begin;
  for (uint32_t i = group.begin; i < group.end; ++i) {
    uint32_t top = slabs[i].top;
    while (next < others.end && slabs[next].bottom <= top) ++next;
    for (uint32_t k = next; k < others.end && slabs[k].top < slabs[i].bottom; ++k) {
      touch(i, k);
      if (slabs[k].top > top) free(i, top, slabs[k].top);
      top = std::max(top, slabs[k].bottom);
    }
    if (top < slabs[i].bottom) free(i, top, slabs[i].bottom);
  }
}

/** All edges of the outline, sorted by their start. */
std::vector<Edge> edges_of(std::span<const Slab> slabs, Components& components) {
  std::vector<Edge> edges;
  Group left{0, 0};
  const auto count = static_cast<uint32_t>(slabs.size());
  for (uint32_t begin = 0; begin <= count;) {
    // One more iteration handles the right side of the last group.
    uint32_t end = begin;
    while (end < count && slabs[end].left == slabs[begin].left) ++end;
    const Group right{begin, end};
    const bool adjacent = begin < count && left.begin < left.end &&
                          slabs[left.begin].right == slabs[right.begin].left;
    const Group nobody{0, 0};
    compare_sides(
        slabs, left, adjacent ? right : nobody,
        [&](uint32_t a, uint32_t b) { components.join(a, b); },
        [&](uint32_t i, uint32_t top, uint32_t bottom) {
          edges.push_back({{slabs[i].right, top}, {slabs[i].right, bottom}, i});
        });
    compare_sides(
        slabs, right, adjacent ? left : nobody, [](uint32_t, uint32_t) {},
        [&](uint32_t i, uint32_t top, uint32_t bottom) {
          edges.push_back({{slabs[i].left, bottom}, {slabs[i].left, top}, i});
        });
    if (begin == count) break;
    left = right;
    begin = end;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const auto& slab = slabs[i];
    edges.push_back({{slab.left, slab.top}, {slab.right, slab.top}, i});
    edges.push_back({{slab.right, slab.bottom}, {slab.left, slab.bottom}, i});
  }
  std::sort(edges.begin(), edges.end(),
            [](const Edge& a, const Edge& b) { return key(a.from) < key(b.from); });
  return edges;
}

/** Follows the edges into rings. Where pixels touch only at a corner, two edges start there. */
class Tracer {
 public:
  explicit Tracer(std::vector<Edge> edges)
      : edges_(std::move(edges)), used_(edges_.size(), false), place_(edges_.size(), kNone) {}

  /** Calls fn(ring, slab) for each ring. `slab` is one of the slabs along it. */
  template <class F>
  void for_each_ring(F&& fn) {
    for (size_t first = 0; first < edges_.size(); ++first) {
      if (used_[first]) continue;
      size_t edge = first;
      do {
        const size_t corner = corner_of(edge);
        // The walk reached a corner again: the part in between is a separate ring.
        if (place_[corner] != kNone) close(place_[corner], fn);
        place_[corner] = static_cast<uint32_t>(path_.size());
        path_.push_back(edge);
        used_[edge] = true;
        edge = next(edge);
      } while (edge != first);
      close(0, fn);
    }
  }

 private:
  /** One index for all edges that start at the same corner. */
  size_t corner_of(size_t edge) const {
    return edge > 0 && edges_[edge - 1].from == edges_[edge].from ? edge - 1 : edge;
  }

  size_t next(size_t edge) const {
    const auto& end = edges_[edge].to;
    const auto found =
        std::lower_bound(edges_.begin(), edges_.end(), end,
                         [](const Edge& e, const Corner& c) { return key(e.from) < key(c); });
    const auto first = static_cast<size_t>(found - edges_.begin());
    const bool two = first + 1 < edges_.size() && edges_[first + 1].from == end;
    // Continue along the same pixel, not along the one across the corner.
    return two && edges_[first].slab != edges_[edge].slab ? first + 1 : first;
  }

  template <class F>
  void close(size_t begin, F&& fn) {
    Ring ring;
    const uint32_t slab = edges_[path_[begin]].slab;
    size_t before = path_.back();
    for (size_t i = begin; i < path_.size(); ++i) {
      const auto& edge = edges_[path_[i]];
      if (edge.horizontal() != edges_[before].horizontal()) ring.push_back(edge.from);
      before = path_[i];
      place_[corner_of(path_[i])] = kNone;
    }
    path_.resize(begin);
    fn(std::move(ring), slab);
  }

  std::vector<Edge> edges_;
  std::vector<bool> used_;
  std::vector<uint32_t> place_;  // by corner: its index in the path
  std::vector<size_t> path_;
};

/** The mask lies below and to the right of an outer ring's first corner; for a hole it lies
 *  above and to the left. */
bool is_outer(const Ring& ring) {
  const auto first = std::min_element(
      ring.begin(), ring.end(), [](const Corner& a, const Corner& b) { return key(a) < key(b); });
  const auto& after = first + 1 == ring.end() ? ring.front() : *(first + 1);
  return after.y == first->y;
}

}  // namespace

std::vector<Polygon> contours(const RleView& mask) {
  const auto slabs = slabs_of(mask);
  Components components(slabs.size());
  Tracer tracer(edges_of(slabs, components));

  std::vector<Polygon> polygons;
  std::vector<uint32_t> polygon_of(slabs.size(), kNone);
  for (uint32_t i = 0; i < slabs.size(); ++i) {
    const uint32_t root = components.find(i);
    if (polygon_of[root] == kNone) {
      polygon_of[root] = static_cast<uint32_t>(polygons.size());
      polygons.emplace_back();
    }
    polygon_of[i] = polygon_of[root];
  }
  tracer.for_each_ring([&](Ring ring, uint32_t slab) {
    auto& polygon = polygons[polygon_of[slab]];
    if (is_outer(ring)) {
      polygon.outer = std::move(ring);
    } else {
      polygon.holes.push_back(std::move(ring));
    }
  });
  return polygons;
}

}  // namespace cellroute::mask
