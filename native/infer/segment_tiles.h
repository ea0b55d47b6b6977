#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "infer/cells.h"
#include "infer/segment.h"

namespace cellroute::infer {

/** How an image is split into tiles. Sizes are in pixels of the network's input. */
struct Tiling {
  /** Network pixels per image pixel; overrides the network's own resize. */
  double scale = 1;
  int64_t size = 0;
  int64_t overlap = 0;
  /** Maximum number of cells in the whole image; the limit in options.detect applies to each
   *  tile. */
  std::optional<int64_t> limit;
};

struct TiledCells {
  Cells cells;
  /** Positions of the seams in pixels of the image: x of vertical ones, y of horizontal ones. */
  std::vector<float> seams_x, seams_y;
  /** Indices of the cells whose box crosses a seam, in increasing order. */
  std::vector<uint32_t> on_seam;
};

/** Segments one image of any size tile by tile. Needs memory for one tile besides the image and
 *  the cells. Intensities are computed over the whole image, and the limit and the rules for
 *  small and overlapping masks apply to the whole image. Polls within each tile. */
TiledCells segment_tiles(MaskRcnnPlan& plan, const io::Image& image, const SegmentOptions& options,
                         const Tiling& tiling, const JobContext& poll);

}  // namespace cellroute::infer
