#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "error.h"
#include "mask/labels.h"
#include "measure/intensity.h"
#include "measure/neighbors.h"
#include "measure/shape.h"
#include "test/mask_reference.h"

namespace cellroute::measure {
namespace {

using mask::Dense;

const Progress kNoProgress = [](double) {};

struct Position {
  double x, y;
};

std::vector<Position> pixels_of(const Dense& mask) {
  std::vector<Position> pixels;
  for (uint32_t y = 0; y < mask.height; ++y) {
    for (uint32_t x = 0; x < mask.width; ++x) {
      if (mask.at(y, x)) pixels.push_back({static_cast<double>(x), static_cast<double>(y)});
    }
  }
  return pixels;
}

/** Each border pixel by the sum of a 3 x 3 kernel over the border pixels. */
double perimeter_by_pixel(const Dense& mask) {
  Dense border(mask.height, mask.width);
  for (int64_t y = 0; y < mask.height; ++y) {
    for (int64_t x = 0; x < mask.width; ++x) {
      const bool inner = mask.around(y - 1, x) && mask.around(y + 1, x) && mask.around(y, x - 1) &&
                         mask.around(y, x + 1);
      border.at(y, x) = mask.at(y, x) && !inner;
    }
  }
  double sum = 0;
  for (int64_t y = 0; y < mask.height; ++y) {
    for (int64_t x = 0; x < mask.width; ++x) {
      int code = 0;
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          const int weight = dx == 0 && dy == 0 ? 1 : dx == 0 || dy == 0 ? 2 : 10;
          code += weight * border.around(y + dy, x + dx);
        }
      }
      if (code == 5 || code == 7 || code == 15 || code == 17 || code == 25 || code == 27) sum += 1;
      if (code == 21 || code == 33) sum += std::numbers::sqrt2;
      if (code == 13 || code == 23) sum += (1 + std::numbers::sqrt2) / 2;
    }
  }
  return sum;
}

/** The middles of the four sides of each pixel. */
std::vector<Position> side_middles(const std::vector<Position>& pixels) {
  std::vector<Position> points;
  for (const auto& [x, y] : pixels) {
    for (const double half : {-0.5, 0.5}) {
      points.push_back({x + half, y});
      points.push_back({x, y + half});
    }
  }
  return points;
}

/** Whether a point is on the inner side of every line through two points that has all others on one
 *  side. */
class Hull {
 public:
  explicit Hull(const std::vector<Position>& points) {
    for (const auto& a : points) {
      for (const auto& b : points) {
        if (a.x == b.x && a.y == b.y) continue;
        const bool all = std::all_of(points.begin(), points.end(),
                                     [&](const Position& c) { return side(a, b, c) >= 0; });
        if (all) edges_.push_back({a, b});
      }
    }
  }

  bool contains(const Position& point) const {
    return std::all_of(edges_.begin(), edges_.end(),
                       [&](const auto& edge) { return side(edge.first, edge.second, point) >= 0; });
  }

  double narrowest(const std::vector<Position>& points) const {
    double least = INFINITY;
    for (const auto& [a, b] : edges_) {
      double farthest = 0;
      for (const auto& c : points) {
        farthest = std::max(farthest, side(a, b, c) / std::hypot(b.x - a.x, b.y - a.y));
      }
      least = std::min(least, farthest);
    }
    return least;
  }

 private:
  static double side(const Position& a, const Position& b, const Position& c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  }

  std::vector<std::pair<Position, Position>> edges_;
};

struct Expected {
  double convex_area, feret_max, feret_min;
};

Expected hull_by_point(const Dense& mask) {
  const Hull hull(side_middles(pixels_of(mask)));
  std::vector<Position> inside;
  for (uint32_t y = 0; y < mask.height; ++y) {
    for (uint32_t x = 0; x < mask.width; ++x) {
      const Position pixel{static_cast<double>(x), static_cast<double>(y)};
      if (hull.contains(pixel)) inside.push_back(pixel);
    }
  }
  const auto points = side_middles(inside);
  double longest = 0;
  for (const auto& a : points) {
    for (const auto& b : points) longest = std::max(longest, std::hypot(a.x - b.x, a.y - b.y));
  }
  return {static_cast<double>(inside.size()), longest, Hull(points).narrowest(points)};
}

double only(const Shapes& shapes, Quantity quantity) { return shapes[quantity][0]; }

Shapes measured(const Dense& mask) {
  const auto rle = mask::counts_by_pixel(mask);
  const mask::RleView view(rle);
  return measure_shapes({&view, 1}, 1, kNoProgress);
}

TEST_CASE("shapes have the perimeter, centre and axes that their pixels give") {
  int compared = 0;
  for (const auto& mask : mask::many_masks(3)) {
    const auto shapes = measured(mask);
    const auto pixels = pixels_of(mask);
    CHECK(only(shapes, kArea) == static_cast<double>(pixels.size()));
    if (pixels.empty()) {
      CHECK(std::isnan(only(shapes, kCentroidX)));
      continue;
    }
    CHECK(only(shapes, kPerimeter) == doctest::Approx(perimeter_by_pixel(mask)));
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    for (const auto& pixel : pixels) {
      x += pixel.x / static_cast<double>(pixels.size());
      y += pixel.y / static_cast<double>(pixels.size());
    }
    for (const auto& pixel : pixels) {
      const auto count = static_cast<double>(pixels.size());
      xx += (pixel.x - x) * (pixel.x - x) / count;
      xy += (pixel.x - x) * (pixel.y - y) / count;
      yy += (pixel.y - y) * (pixel.y - y) / count;
    }
    CHECK(only(shapes, kCentroidX) == doctest::Approx(x));
    CHECK(only(shapes, kCentroidY) == doctest::Approx(y));
    // The squares of the half axes are the eigenvalues of the matrix of second moments.
    const double large = std::pow(only(shapes, kMajorAxis) / 4, 2);
    const double small = std::pow(only(shapes, kMinorAxis) / 4, 2);
    CHECK(large + small == doctest::Approx(xx + yy));
    CHECK(large * small == doctest::Approx(xx * yy - xy * xy).epsilon(1e-6));
    const double angle = only(shapes, kOrientation);
    const double along = std::sin(angle) * std::sin(angle) * xx +
                         2 * std::sin(angle) * std::cos(angle) * xy +
                         std::cos(angle) * std::cos(angle) * yy;
    CHECK(along == doctest::Approx(large));
    ++compared;
  }
  CHECK(compared > 50);
}

TEST_CASE("hulls count the pixels that the lines around all sides enclose") {
  auto cells = mask::random_cells(5, 14, 17, 12);
  Dense corners(14, 17), dot(14, 17);
  corners.at(0, 0) = corners.at(13, 16) = corners.at(3, 9) = 1;
  dot.at(7, 3) = 1;
  cells.push_back(corners);
  cells.push_back(dot);
  for (const auto& cell : cells) {
    if (cell.area() == 0) continue;
    const auto expected = hull_by_point(cell);
    const auto shapes = measured(cell);
    CHECK(only(shapes, kConvexArea) == expected.convex_area);
    CHECK(only(shapes, kSolidity) == doctest::Approx(cell.area() / expected.convex_area));
    CHECK(only(shapes, kFeretMax) == doctest::Approx(expected.feret_max));
    CHECK(only(shapes, kFeretMin) == doctest::Approx(expected.feret_min));
  }
}

TEST_CASE("neighbors touch at a side or a corner, or share pixels") {
  const auto cells = mask::random_cells(11, 60, 80, 40);
  std::vector<mask::Rle> masks;
  for (const auto& cell : cells) masks.push_back(mask::counts_by_pixel(cell));
  const auto counts = count_neighbors(mask::views(masks), 2, kNoProgress);
  bool any = false;
  for (size_t i = 0; i < cells.size(); ++i) {
    double expected = 0;
    for (size_t j = 0; j < cells.size(); ++j) {
      bool adjacent = false;
      for (const auto& [x, y] : pixels_of(cells[i])) {
        for (int64_t dy = -1; dy <= 1; ++dy) {
          for (int64_t dx = -1; dx <= 1; ++dx) {
            adjacent |=
                cells[j].around(static_cast<int64_t>(y) + dy, static_cast<int64_t>(x) + dx) != 0;
          }
        }
      }
      if (adjacent && j != i) ++expected;
    }
    CHECK(counts[i] == expected);
    any |= expected > 0;
  }
  CHECK(any);
}

TEST_CASE("intensities are those of the pixels, channel by channel, without alpha") {
  const auto cells = mask::random_cells(7, 20, 30, 6);
  std::vector<mask::Rle> masks;
  for (const auto& cell : cells) masks.push_back(mask::counts_by_pixel(cell));
  masks.push_back(mask::counts_by_pixel(Dense(20, 30)));
  std::vector<uint16_t> values(size_t{20} * 30 * 4);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i * 7919 % 65521);
  io::Image image{.type = io::Image::Type::kU16,
                  .bytes = std::vector<uint8_t>(values.size() * 2),
                  .width = 30,
                  .height = 20,
                  .channels = 4};
  std::memcpy(image.bytes.data(), values.data(), image.bytes.size());
  const auto found = measure_intensities(mask::views(masks), image, {}, 2, kNoProgress);
  REQUIRE(found.channels == 3);
  for (size_t i = 0; i < cells.size(); ++i) {
    const auto pixels = pixels_of(cells[i]);
    if (pixels.empty()) continue;
    for (size_t channel = 0; channel < 3; ++channel) {
      std::vector<double> own;
      for (const auto& [x, y] : pixels) {
        own.push_back(values[(static_cast<size_t>(y) * 30 + static_cast<size_t>(x)) * 4 + channel]);
      }
      double sum = 0, squares = 0;
      for (const double value : own) sum += value;
      const double mean = sum / static_cast<double>(own.size());
      for (const double value : own) squares += (value - mean) * (value - mean);
      const size_t at = 3 * i + channel;
      CHECK(found.sum[at] == sum);
      CHECK(found.mean[at] == doctest::Approx(mean));
      CHECK(found.min[at] == *std::min_element(own.begin(), own.end()));
      CHECK(found.max[at] == *std::max_element(own.begin(), own.end()));
      CHECK(found.squares[at] == doctest::Approx(squares));
      CHECK(found.count[i] == static_cast<double>(own.size()));
    }
  }
  CHECK(std::isnan(found.mean[3 * cells.size()]));
  CHECK(found.sum[3 * cells.size()] == 0);
  image.width = 20;
  image.height = 30;
  CHECK_THROWS_AS(measure_intensities(mask::views(masks), image, {}, 1, kNoProgress), Error);
}

TEST_CASE("sums over windows are those of the whole image") {
  const auto cells = mask::random_cells(9, 40, 50, 15);
  std::vector<mask::Rle> masks;
  for (const auto& cell : cells) masks.push_back(mask::counts_by_pixel(cell));
  const auto window_of = [](uint32_t left, uint32_t top, uint32_t width, uint32_t height) {
    io::Image image{
        .type = io::Image::Type::kU8, .bytes = {}, .width = width, .height = height, .channels = 1};
    for (uint32_t y = top; y < top + height; ++y) {
      for (uint32_t x = left; x < left + width; ++x) {
        image.bytes.push_back(static_cast<uint8_t>((y * 50 + x) * 31 % 251));
      }
    }
    return image;
  };
  const auto whole =
      measure_intensities(mask::views(masks), window_of(0, 0, 50, 40), {}, 1, kNoProgress);
  std::vector<double> sums(cells.size()), counts(cells.size());
  for (const Origin origin : {Origin{0, 0}, Origin{20, 0}, Origin{0, 25}, Origin{20, 25}}) {
    const auto part =
        window_of(origin.x, origin.y, origin.x == 0 ? 20 : 30, origin.y == 0 ? 25 : 15);
    const auto found = measure_intensities(mask::views(masks), part, origin, 1, kNoProgress);
    for (size_t i = 0; i < cells.size(); ++i) {
      sums[i] += found.sum[i];
      counts[i] += found.count[i];
      CHECK((found.count[i] == 0) == std::isnan(found.mean[i]));
    }
  }
  CHECK(sums == whole.sum);
  CHECK(counts == whole.count);
  CHECK_THROWS_AS(
      measure_intensities(mask::views(masks), window_of(0, 0, 30, 15), {21, 25}, 1, kNoProgress),
      Error);
}

TEST_CASE("labels of windows are parts of the labels of the image") {
  const auto cells = mask::random_cells(13, 37, 53, 20);
  std::vector<mask::Rle> masks;
  std::vector<uint32_t> ids;
  for (const auto& cell : cells) {
    masks.push_back(mask::counts_by_pixel(cell));
    ids.push_back(static_cast<uint32_t>(masks.size()));
  }
  std::vector<uint32_t> whole(size_t{37} * 53);
  mask::to_labels<uint32_t>(mask::views(masks), whole);
  for (const mask::Window window : {mask::Window{0, 0, 53, 37}, mask::Window{5, 9, 16, 20},
                                    mask::Window{48, 30, 16, 16}, mask::Window{52, 36, 1, 1}}) {
    std::vector<uint16_t> labels(size_t{window.width} * window.height);
    mask::to_labels_in<uint16_t>(mask::views(masks), ids, window, labels);
    for (uint32_t y = 0; y < window.height; ++y) {
      for (uint32_t x = 0; x < window.width; ++x) {
        const bool inside = window.x + x < 53 && window.y + y < 37;
        const uint32_t expected = inside ? whole[(window.y + y) * 53 + window.x + x] : 0;
        CHECK(labels[size_t{y} * window.width + x] == expected);
      }
    }
  }
}

}  // namespace
}  // namespace cellroute::measure
