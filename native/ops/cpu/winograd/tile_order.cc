#include "ops/cpu/winograd/tile_order.h"

#include <array>
#include <numeric>

#include "round_up.h"

namespace cellroute::ops::cpu {
namespace {

constexpr int64_t kLargeSide = 4;
constexpr int64_t kLargePoints = kLargeSide + 2;
constexpr int64_t kShortSide = 2;

/** Of the six points along a side, those at 3/2 and -3/2, which ShortPoints omits. */
bool is_far(int64_t point) { return point == 3 || point == 4; }

}  // namespace

TileGrid tile_grid(int64_t height, int64_t width, int64_t side) {
  return {.height = height,
          .width = width,
          .side = side,
          .rows = divide_up(height, side),
          .columns = divide_up(width, side)};
}

TileOrder TileOrder::by_kind(const TileGrid& grid, int64_t first, int64_t count) {
  const auto is_short = [&](int64_t tile, int64_t length) {
    return grid.side == kLargeSide && length - tile * grid.side <= kShortSide;
  };
  // [short to the right][short downwards]
  std::array<std::array<std::vector<int64_t>, 2>, 2> kinds;
  for (int64_t tile = first; tile < first + count; ++tile) {
    const int64_t in_image = tile % (grid.rows * grid.columns);
    const bool down = is_short(in_image / grid.columns, grid.height);
    const bool right = is_short(in_image % grid.columns, grid.width);
    kinds.at(right ? 1 : 0).at(down ? 1 : 0).push_back(tile);
  }
  TileOrder order;
  const auto add = [&](const std::vector<int64_t>& tiles) {
    const int64_t begin = order.count();
    order.tiles_.insert(order.tiles_.end(), tiles.begin(), tiles.end());
    return begin;
  };
  add(kinds[0][1]);
  order.whole_ = add(kinds[0][0]);
  order.right_ = add(kinds[1][0]);
  order.corner_ = add(kinds[1][1]);
  return order;
}

TileOrder TileOrder::all_whole(int64_t first, int64_t count) {
  TileOrder order;
  order.tiles_.resize(count);
  std::iota(order.tiles_.begin(), order.tiles_.end(), first);
  order.right_ = order.corner_ = count;
  return order;
}

TileOrder::Range TileOrder::tiles_for_point(int64_t point) const {
  const bool far_down = is_far(point / kLargePoints), far_right = is_far(point % kLargePoints);
  if (far_right) return {far_down ? whole_ : 0, right_};
  return far_down ? Range{whole_, corner_} : Range{0, count()};
}

}  // namespace cellroute::ops::cpu
