#include "ops/cpu/winograd/tile_order.h"

#include <algorithm>
#include <array>
#include <vector>

#include "checks.h"

namespace tile_order_test {

using cellroute::ops::cpu::tile_grid;
using cellroute::ops::cpu::TileGrid;
using cellroute::ops::cpu::TileOrder;

namespace {

/** Whether a tile has a third or fourth output along a side, which needs the points 3/2 and -3/2.
 */
struct Needs {
  bool down, right;
};

Needs needs(const TileGrid& grid, int64_t tile) {
  const int64_t in_image = tile % (grid.rows * grid.columns);
  return {grid.height - in_image / grid.columns * 4 > 2,
          grid.width - in_image % grid.columns * 4 > 2};
}

std::vector<int64_t> in_range(const TileOrder& order, int64_t point) {
  const auto range = order.tiles_for_point(point);
  const auto* tiles = order.list().tiles;
  std::vector<int64_t> found(tiles + range.begin, tiles + range.end);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

TEST_CASE("tile order: which tiles need a point, for any remainder at the borders") {
  for (const auto& [height, width] :
       {std::array<int64_t, 2>{14, 14}, {1, 1}, {16, 13}, {25, 34}, {3, 2}, {6, 8}}) {
    const auto grid = tile_grid(height, width, 4);
    const int64_t tiles = 3 * grid.rows * grid.columns;
    for (const int64_t first : {int64_t{0}, tiles / 3, tiles - 1}) {
      const auto order = TileOrder::by_kind(grid, first, tiles - first);
      CHECK(order.count() == tiles - first);
      for (int64_t point = 0; point < 36; ++point) {
        const bool far_down = point / 6 == 3 || point / 6 == 4;
        const bool far_right = point % 6 == 3 || point % 6 == 4;
        std::vector<int64_t> expected;
        for (int64_t tile = first; tile < tiles; ++tile) {
          const auto n = needs(grid, tile);
          if ((n.down || !far_down) && (n.right || !far_right)) expected.push_back(tile);
        }
        CHECK(in_range(order, point) == expected);
      }
    }
  }
}

TEST_CASE("tile order: small tiles and those of a gradient are all complete") {
  const auto small = tile_grid(5, 5, 2);
  for (const auto& order : {TileOrder::by_kind(small, 2, 7), TileOrder::all_whole(2, 7)}) {
    const auto list = order.list();
    CHECK(list.whole == 0);
    CHECK(list.right == 7);
    CHECK(list.corner == 7);
    CHECK(in_range(order, 0) == std::vector<int64_t>{2, 3, 4, 5, 6, 7, 8});
  }
}

}  // namespace tile_order_test
