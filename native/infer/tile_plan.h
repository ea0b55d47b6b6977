#pragma once

#include <cstdint>
#include <vector>

namespace cellroute::infer {

/** One side of a tile: the range the network sees, and the core that belongs to no other tile. */
struct TileSide {
  int64_t begin;
  int64_t end;
  int64_t core_begin;
  int64_t core_end;
};

/** Splits `length` pixels into tiles of at most `size` that overlap by at least `overlap`: as few
 *  tiles as possible, of one size except for the last; a length of at most `size` is one tile.
 * Tiles start at multiples of `stride`, the coarsest stride of the network's maps, so that each
 * tile sees the same grid as a pass over the whole image; size and overlap are rounded up
 * accordingly. Seams lie halfway through the overlap of two tiles, where their cores meet. All
 * arguments are at least 1, except `overlap`, which is at least 0. */
std::vector<TileSide> plan_tiles(int64_t length, int64_t size, int64_t overlap, int64_t stride);

}  // namespace cellroute::infer
