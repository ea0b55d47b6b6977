#pragma once

#include <cstdint>
#include <vector>

#include "mask/rle.h"

namespace cellroute::measure {

/** Pixels of one column: rows top to bottom - 1. */
struct Piece {
  uint32_t x;
  uint32_t top;
  uint32_t bottom;
};

/** A mask column by column, by increasing x and top. `pieces` is memory that is used again. */
inline void read_pieces(const mask::RleView& mask, std::vector<Piece>& pieces) {
  pieces.clear();
  mask::for_each_column_piece(
      mask, [&](uint32_t x, uint32_t top, uint32_t bottom) { pieces.push_back({x, top, bottom}); });
}

}  // namespace cellroute::measure
