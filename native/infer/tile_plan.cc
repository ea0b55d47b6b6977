#include "infer/tile_plan.h"

#include <algorithm>

#include "round_up.h"

namespace cellroute::infer {

std::vector<TileSide> plan_tiles(int64_t length, int64_t size, int64_t overlap, int64_t stride) {
  const int64_t max_side = round_up(size, stride), shared = round_up(overlap, stride);
  if (length <= max_side) return {{0, length, 0, length}};
  const int64_t max_step = std::max(max_side - shared, stride);
  // The number of tiles of the largest size; the tiles are then made as small as this number
  // allows.
  const int64_t count = divide_up(length - max_side, max_step) + 1;
  const int64_t side =
      std::min(max_side, round_up(divide_up(length + (count - 1) * shared, count), stride));
  const int64_t step = std::max(side - shared, stride);
  // The last tile ends where the image ends and therefore starts a little later than a full one.
  const int64_t last = round_up(length - side, stride);
  std::vector<TileSide> tiles;
  for (int64_t begin = 0; begin < last; begin += step) tiles.push_back({begin, begin + side, 0, 0});
  tiles.push_back({last, length, 0, length});
  for (size_t i = 0; i + 1 < tiles.size(); ++i) {
    tiles[i].core_end = (tiles[i].end + tiles[i + 1].begin) / 2;
    tiles[i + 1].core_begin = tiles[i].core_end;
  }
  return tiles;
}

}  // namespace cellroute::infer
