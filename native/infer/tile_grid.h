#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "infer/tile_plan.h"
#include "mask/rle.h"
#include "model/config.h"

namespace cellroute::infer {

/** How an image is split into tiles. Sizes are in pixels of the network's input. */
struct Tiling {
  /** Network pixels per image pixel; overrides the network's own resize. */
  double scale = 1;
  int64_t size = 0;
  int64_t overlap = 0;
};

/** One side of an image: its tiles, and image pixels per pixel of the network's input. Positions
 *  begin..end of a box are relative to the first pixel of tile `index`, in pixels of the network's
 *  input. */
class TileAxis {
 public:
  TileAxis(int64_t pixels, const Tiling& tiling, int64_t stride);

  /** Pixels of the network's input. */
  int64_t length() const { return length_; }
  const std::vector<TileSide>& tiles() const { return tiles_; }

  /** Positions of the seams in pixels of the image, increasing. */
  std::vector<float> seams() const;

  /** The pixels of the image that a tile shows. */
  uint32_t window_begin(size_t index) const;
  uint32_t window_size(size_t index) const;

  /** The first pixel of the image that the input of a tile is computed from, and their number. */
  uint32_t needed_begin(size_t index) const;
  uint32_t needed_size(size_t index) const;

  /** Whether a box touches a border of its tile inside the image. */
  bool cut(size_t index, float begin, float end) const;

  /** Index of the tile whose core contains the middle of a box. */
  size_t owner(size_t index, float begin, float end) const;

  /** Whether the neighbour that owns a box shows more of it than this tile, so that this tile's
   *  detection decides nothing. */
  bool left_to_neighbour(size_t index, float begin, float end) const;

  /** A position in pixels of the image. */
  float in_image(size_t index, float at) const;

 private:
  int64_t pixels_;
  int64_t length_;
  double ratio_;
  std::vector<TileSide> tiles_;
};

/** The tiles of an image, row by row. */
struct TileGrid {
  int64_t width, height;
  TileAxis across, down;

  TileGrid(const model::MaskRcnnConfig& config, int64_t width, int64_t height,
           const Tiling& tiling);

  size_t columns() const { return across.tiles().size(); }
  size_t rows() const { return down.tiles().size(); }
  size_t count() const { return columns() * rows(); }

  /** The parts of the image that the tiles show. */
  std::vector<mask::Box> windows() const;
};

}  // namespace cellroute::infer
