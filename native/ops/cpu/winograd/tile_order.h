#pragma once

#include <cstdint>
#include <vector>

#include "ops/cpu/winograd/winograd_tiles.h"

namespace cellroute::ops::cpu {

/** The tiles of maps [images, height, width, C]. */
TileGrid tile_grid(int64_t height, int64_t width, int64_t side);

/** Neighbouring tiles of a grid as a TileList. */
class TileOrder {
 public:
  /** Tiles first..first + count; short tiles are distinguished if a tile has four outputs per
   *  side. */
  static TileOrder by_kind(const TileGrid& grid, int64_t first, int64_t count);

  /** The same in grid order, with all tiles treated as whole. */
  static TileOrder all_whole(int64_t first, int64_t count);

  TileList list() const { return {tiles_.data(), whole_, right_, corner_, count()}; }
  int64_t count() const { return static_cast<int64_t>(tiles_.size()); }

  struct Range {
    int64_t begin, end;
  };

  /** The tiles in the list that need a point (of 36 in large tiles). Small tiles are never
   *  short, so all of them need every point. */
  Range tiles_for_point(int64_t point) const;

 private:
  TileOrder() = default;

  std::vector<int64_t> tiles_;
  int64_t whole_ = 0, right_ = 0, corner_ = 0;
};

}  // namespace cellroute::ops::cpu
