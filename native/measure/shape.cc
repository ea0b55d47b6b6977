#include "measure/shape.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "measure/blocks.h"
#include "measure/hull.h"
#include "measure/pieces.h"

namespace cellroute::measure {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/** The smallest box around the pixels; right and bottom are exclusive. */
struct Extent {
  uint32_t left, top, right, bottom;
};

Extent extent_of(std::span<const Piece> pieces) {
  Extent extent{pieces.front().x, pieces.front().top, pieces.back().x + 1, pieces.front().bottom};
  for (const auto& piece : pieces) {
    extent.top = std::min(extent.top, piece.top);
    extent.bottom = std::max(extent.bottom, piece.bottom);
  }
  return extent;
}

/** Mean and central second moments of the pixels. */
struct Moments {
  double area = 0;
  double x = 0, y = 0;
  double xx = 0, xy = 0, yy = 0;
};

Moments moments_of(std::span<const Piece> pieces, const Extent& extent) {
  // From the corner of the box, and then from the centre: the squares of positions in a large image
  // would lose digits.
  Moments moments;
  const auto column_of = [&](const Piece& piece) {
    return static_cast<double>(piece.x - extent.left);
  };
  const auto middle_of = [&](const Piece& piece) {
    return (static_cast<double>(piece.top - extent.top) +
            static_cast<double>(piece.bottom - extent.top) - 1) /
           2;
  };
  double sum_x = 0, sum_y = 0;
  for (const auto& piece : pieces) {
    const auto length = static_cast<double>(piece.bottom - piece.top);
    moments.area += length;
    sum_x += length * column_of(piece);
    sum_y += length * middle_of(piece);
  }
  const double x = sum_x / moments.area, y = sum_y / moments.area;
  for (const auto& piece : pieces) {
    const auto length = static_cast<double>(piece.bottom - piece.top);
    const double dx = column_of(piece) - x, dy = middle_of(piece) - y;
    moments.xx += length * dx * dx;
    moments.xy += length * dx * dy;
    moments.yy += length * dy * dy + length * (length * length - 1) / 12;
  }
  moments.x = extent.left + x;
  moments.y = extent.top + y;
  moments.xx /= moments.area;
  moments.xy /= moments.area;
  moments.yy /= moments.area;
  return moments;
}

/** Length of the outline of a mask by Benkrid and Crookes (2000), as in scikit-image's `perimeter`
 *  with 4 neighbours: each border pixel counts by the arrangement of the border pixels around it.
 */
class Perimeter {
 public:
  double measure(std::span<const Piece> pieces, const Extent& extent) {
    pieces_ = pieces;
    next_ = 0;
    left_ = extent.left;
    top_ = extent.top;
    // A row and a column of background on each side.
    height_ = size_t{extent.bottom - extent.top} + 2;
    for (auto* columns : {&image_, &border_}) {
      for (auto& column : *columns) column.assign(height_, 0);
    }
    straight_ = diagonal_ = bent_ = 0;
    const size_t width = size_t{extent.right - extent.left};
    // Each step reads image column i, decides which pixels of column i - 1 are border pixels, and
    // counts those of column i - 2.
    for (size_t i = 0; i < width + 2; ++i) {
      read(i, i < width);
      if (i >= 1) find_border(i - 1);
      if (i >= 2) count(i - 2);
    }
    const double root = std::numbers::sqrt2;
    return static_cast<double>(straight_) + static_cast<double>(diagonal_) * root +
           static_cast<double>(bent_) * (1 + root) / 2;
  }

 private:
  using Column = std::vector<uint8_t>;

  static Column& at(std::array<Column, 3>& columns, size_t i) { return columns[i % 3]; }

  void read(size_t i, bool inside) {
    auto& column = at(image_, i);
    std::fill(column.begin(), column.end(), uint8_t{0});
    if (!inside) return;
    for (; next_ < pieces_.size() && pieces_[next_].x - left_ == i; ++next_) {
      const auto begin = column.begin() + (pieces_[next_].top - top_) + 1;
      std::fill(begin, begin + (pieces_[next_].bottom - pieces_[next_].top), uint8_t{1});
    }
  }

  void find_border(size_t i) {
    const auto& own = at(image_, i);
    const auto& left = at(image_, i + 2);  // i - 1
    const auto& right = at(image_, i + 1);
    auto& border = at(border_, i);
    for (size_t y = 1; y + 1 < height_; ++y) {
      border[y] =
          static_cast<uint8_t>(own[y] & ~(own[y - 1] & own[y + 1] & left[y] & right[y]) & 1);
    }
  }

  void count(size_t i) {
    const auto& own = at(border_, i);
    const auto& left = at(border_, i + 2);  // i - 1
    const auto& right = at(border_, i + 1);
    for (size_t y = 1; y + 1 < height_; ++y) {
      if (own[y] == 0) continue;
      const int sides = own[y - 1] + own[y + 1] + left[y] + right[y];
      const int corners = left[y - 1] + left[y + 1] + right[y - 1] + right[y + 1];
      switch (1 + 2 * sides + 10 * corners) {
        case 5:
        case 7:
        case 15:
        case 17:
        case 25:
        case 27:
          ++straight_;
          break;
        case 21:
        case 33:
          ++diagonal_;
          break;
        case 13:
        case 23:
          ++bent_;
          break;
        default:
          break;
      }
    }
  }

  std::span<const Piece> pieces_;
  size_t next_ = 0;
  uint32_t left_ = 0, top_ = 0;
  size_t height_ = 0;
  std::array<Column, 3> image_, border_;
  uint64_t straight_ = 0, diagonal_ = 0, bent_ = 0;
};

/** Memory that is used again for the next mask. */
struct Memory {
  std::vector<Piece> pieces;
  Perimeter perimeter;
  HullMemory hull;
};

using Values = std::array<double, kQuantities>;

void add_ellipse(Values& values, const Moments& moments) {
  // Eigenvalues of the matrix of second moments: of the ellipse with the same moments.
  const double mean = (moments.xx + moments.yy) / 2;
  const double half = (moments.yy - moments.xx) / 2;
  const double spread = std::hypot(half, moments.xy);
  const double large = std::max(0.0, mean + spread), small = std::max(0.0, mean - spread);
  values[kMajorAxis] = 4 * std::sqrt(large);
  values[kMinorAxis] = 4 * std::sqrt(small);
  values[kEccentricity] = large > 0 ? std::sqrt(1 - small / large) : 0;
  // Without a direction, scikit-image answers with a quarter of pi.
  const bool isotropic = moments.yy == moments.xx;
  values[kOrientation] = isotropic ? (moments.xy > 0 ? std::numbers::pi / 4 : -std::numbers::pi / 4)
                                   : 0.5 * std::atan2(2 * moments.xy, moments.yy - moments.xx);
}

Values measure(const mask::RleView& mask, Memory& memory) {
  Values values;
  values.fill(kNaN);
  read_pieces(mask, memory.pieces);
  const std::span<const Piece> pieces(memory.pieces);
  values[kArea] = 0;
  values[kTouchesBorder] = 0;
  if (pieces.empty()) return values;
  const auto extent = extent_of(pieces);
  const auto moments = moments_of(pieces, extent);
  values[kArea] = moments.area;
  values[kCentroidX] = moments.x;
  values[kCentroidY] = moments.y;
  values[kLeft] = extent.left;
  values[kTop] = extent.top;
  values[kRight] = extent.right;
  values[kBottom] = extent.bottom;
  add_ellipse(values, moments);
  values[kPerimeter] = memory.perimeter.measure(pieces, extent);
  const auto hull = memory.hull.measure(pieces);
  values[kConvexArea] = hull.area;
  values[kSolidity] = moments.area / hull.area;
  values[kFeretMax] = hull.feret_max;
  values[kFeretMin] = hull.feret_min;
  const double perimeter = values[kPerimeter];
  if (perimeter > 0) {
    values[kCircularity] = 4 * std::numbers::pi * moments.area / (perimeter * perimeter);
  }
  values[kTouchesBorder] = extent.left == 0 || extent.top == 0 || extent.right == mask.width ||
                                   extent.bottom == mask.height
                               ? 1
                               : 0;
  return values;
}

}  // namespace

Shapes measure_shapes(std::span<const mask::RleView> masks, uint64_t threads,
                      const Progress& progress) {
  Shapes shapes;
  for (auto& values : shapes) values.resize(masks.size());
  for_each_block(masks.size(), threads, progress, [&](size_t begin, size_t end) {
    Memory memory;
    for (size_t i = begin; i < end; ++i) {
      const auto values = measure(masks[i], memory);
      for (size_t q = 0; q < kQuantities; ++q) shapes[q][i] = values[q];
    }
  });
  return shapes;
}

}  // namespace cellroute::measure
