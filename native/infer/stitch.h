#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::infer {

/** A cell as one tile saw it, in pixels of the whole image. */
struct Sighting {
  std::array<float, 4> box;  // x1 y1 x2 y2
  float score;
  int32_t label;
  mask::Rle mask;  // of the whole image's size
  uint32_t tile;
  /** It reaches a border of its tile that is none of the image's: there may be more of it. */
  bool cut;
  /** The tile in whose core its box's centre lies. */
  uint32_t owner;
};

/** The cells of an image, each once, by falling score: `windows` are what each tile sees of it.
 *
 *  Sightings of different tiles and one label are the same cell where their masks agree on what
 *  both tiles see: by half of their union, or, where one was cut and the other not, by half of the
 *  cut one. Of the same cell stays the sighting that was not cut, at best in its tile's core; where
 *  all were cut, their union with the best score. A cell that the tile whose core it lies in did
 * not see goes: that tile saw more of its surroundings. */
std::vector<Sighting> stitch(std::vector<Sighting> seen, std::span<const mask::Box> windows);

}  // namespace cellroute::infer
