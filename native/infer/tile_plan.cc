#include "infer/tile_plan.h"

#include <algorithm>

namespace cellroute::infer {
namespace {

int64_t round_up(int64_t value, int64_t divisor) {
  return (value + divisor - 1) / divisor * divisor;
}

}  // namespace

std::vector<TileSide> plan_tiles(int64_t length, int64_t size, int64_t overlap, int64_t stride) {
  const int64_t most = round_up(size, stride), shared = round_up(overlap, stride);
  if (length <= most) return {{0, length, 0, length}};
  const int64_t longest_step = std::max(most - shared, stride);
  // As many tiles as of the full size, each no larger than that many need to be.
  const int64_t count = (length - most + longest_step - 1) / longest_step + 1;
  const int64_t side =
      std::min(most, round_up((length + (count - 1) * shared + count - 1) / count, stride));
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
