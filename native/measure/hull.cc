#include "measure/hull.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cellroute::measure {
namespace {

constexpr int64_t kNoRow = std::numeric_limits<int64_t>::max();

/** The quotient rounded down; the divisor is positive. */
int64_t floor_divide(int64_t value, int64_t divisor) {
  const int64_t quotient = value / divisor;
  return quotient * divisor > value ? quotient - 1 : quotient;
}

}  // namespace

// Positions fit: the sides of an image multiply to less than 2^32, and so do differences here.
int64_t HullMemory::cross(const Point& a, const Point& b, const Point& c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

void HullMemory::build(std::span<const Rows> columns) {
  lower_.clear();
  upper_.clear();
  const auto add = [](std::vector<Point>& chain, const Point& point, int64_t sign) {
    while (chain.size() >= 2 && sign * cross(chain[chain.size() - 2], chain.back(), point) <= 0) {
      chain.pop_back();
    }
    chain.push_back(point);
  };
  // Points at x = 2 * column are the middles of upper and lower sides; the middles of left and
  // right sides lie half a pixel beside them, where two columns meet.
  const auto count = static_cast<int64_t>(columns.size());
  for (int64_t x = -1; x <= 2 * count - 1; ++x) {
    int64_t top = kNoRow, bottom = -kNoRow;
    const auto meet = [&](int64_t column, int64_t beyond) {
      if (column < 0 || column >= count) return;
      const auto& rows = columns[static_cast<size_t>(column)];
      if (rows.first > rows.last) return;
      top = std::min(top, 2 * rows.first - beyond);
      bottom = std::max(bottom, 2 * rows.last + beyond);
    };
    if (x % 2 == 0) {
      meet(x / 2, 1);
    } else {
      meet((x - 1) / 2, 0);
      meet((x + 1) / 2, 0);
    }
    if (top == kNoRow) continue;
    add(lower_, {x, top}, 1);
    add(upper_, {x, bottom}, -1);
  }
}

void HullMemory::fill(std::vector<Rows>& columns) const {
  size_t low = 0, high = 0;
  for (size_t column = 0; column < columns.size(); ++column) {
    const int64_t x = 2 * static_cast<int64_t>(column);
    while (low + 2 < lower_.size() && lower_[low + 1].x <= x) ++low;
    while (high + 2 < upper_.size() && upper_[high + 1].x <= x) ++high;
    // Rows are even numbers of half pixels: the line's y is halved as well.
    const auto& [x0, y0] = lower_[low];
    const auto& [x1, y1] = lower_[low + 1];
    const int64_t width = x1 - x0;
    columns[column].first = -floor_divide(-(y0 * width + (y1 - y0) * (x - x0)), 2 * width);
    const auto& [u0, v0] = upper_[high];
    const auto& [u1, v1] = upper_[high + 1];
    const int64_t span = u1 - u0;
    columns[column].last = floor_divide(v0 * span + (v1 - v0) * (x - u0), 2 * span);
  }
}

HullMeasures HullMemory::measure(std::span<const Piece> pieces) {
  if (pieces.empty()) return {};
  const uint32_t left = pieces.front().x;
  const size_t width = size_t{pieces.back().x - left} + 1;
  int64_t top = kNoRow;
  for (const auto& piece : pieces) top = std::min<int64_t>(top, piece.top);
  columns_.assign(width, {kNoRow, -kNoRow});
  for (const auto& piece : pieces) {
    auto& rows = columns_[piece.x - left];
    rows.first = std::min(rows.first, int64_t{piece.top} - top);
    rows.last = std::max(rows.last, int64_t{piece.bottom} - 1 - top);
  }
  build(columns_);
  hull_columns_.resize(width);
  fill(hull_columns_);

  HullMeasures measures;
  for (const auto& rows : hull_columns_) {
    measures.area += static_cast<double>(std::max(int64_t{0}, rows.last - rows.first + 1));
  }
  build(hull_columns_);
  ring_.assign(lower_.begin(), lower_.end());
  // The first and the last column have one point at their outer sides, or an edge between two.
  for (size_t i = upper_.size(); i-- > 0;) {
    const auto& point = upper_[i];
    const auto same = [&](const Point& other) { return other.x == point.x && other.y == point.y; };
    if (!same(lower_.front()) && !same(lower_.back())) ring_.push_back(point);
  }
  double longest = 0, narrowest = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < ring_.size(); ++i) {
    const auto& a = ring_[i];
    const auto& b = ring_[(i + 1) % ring_.size()];
    int64_t farthest = 0;
    for (const auto& c : ring_) {
      const auto dx = static_cast<double>(c.x - a.x), dy = static_cast<double>(c.y - a.y);
      longest = std::max(longest, dx * dx + dy * dy);
      farthest = std::max(farthest, std::abs(cross(a, b, c)));
    }
    const double edge = std::hypot(static_cast<double>(b.x - a.x), static_cast<double>(b.y - a.y));
    narrowest = std::min(narrowest, static_cast<double>(farthest) / edge);
  }
  measures.feret_max = std::sqrt(longest) / 2;
  measures.feret_min = narrowest / 2;
  return measures;
}

}  // namespace cellroute::measure
