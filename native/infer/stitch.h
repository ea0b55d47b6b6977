#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::infer {

/** A cell as one tile detected it, in pixels of the whole image. */
struct TileDetection {
  std::array<float, 4> box;  // x1 y1 x2 y2
  float score;
  int32_t label;
  mask::Rle mask;  // of the whole image's size
  uint32_t tile;
  /** Whether it touches a tile border inside the image, so that it may be incomplete. */
  bool cut;
  /** Index of the tile whose core contains the box's centre. */
  uint32_t owner;
};

/** Merges the detections of all tiles so that each cell occurs once, by decreasing score.
 *  `windows` are the parts of the image that the tiles see.
 *
 *  Detections of different tiles with the same label are the same cell if their masks agree on
 *  the area that both tiles see: if the intersection is at least half of their union, or, if
 *  exactly one was cut, at least half of the cut one. An uncut detection is kept, preferably one
 *  in its tile's core; if all were cut, their union is kept with the highest score. A detection
 *  is dropped if the tile that owns its centre did not find it, because that tile saw more of
 *  its surroundings. */
std::vector<TileDetection> stitch(std::vector<TileDetection> detections,
                                  std::span<const mask::Box> windows);

/** Indices, increasing, of the detections for which `condition` holds and of all that are connected
 * to one of them by masks that overlap. No other detection has an effect on these, nor they on it.
 */
std::vector<uint32_t> connected_to(const std::vector<TileDetection>& detections,
                                   const std::function<bool(const TileDetection&)>& condition);

}  // namespace cellroute::infer
