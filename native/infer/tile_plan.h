#pragma once

#include <cstdint>
#include <vector>

namespace cellroute::infer {

/** One side of a tile: what the network sees, and the core within it that no other tile has. */
struct TileSide {
  int64_t begin;
  int64_t end;
  int64_t core_begin;
  int64_t core_end;
};

/** Cuts `length` pixels into tiles of `size` that share at least `overlap` with the next one; a
 *  length of at most `size` is one tile. Tiles begin at multiples of `stride`, the coarsest of the
 *  network's maps, so that each sees the grid that a pass over the whole would; for that, size and
 *  overlap are rounded up to such multiples. Where two cores meet, halfway through what their tiles
 *  share, is a seam. All arguments but `overlap` are at least 1, and overlap is not negative. */
std::vector<TileSide> plan_tiles(int64_t length, int64_t size, int64_t overlap, int64_t stride);

}  // namespace cellroute::infer
