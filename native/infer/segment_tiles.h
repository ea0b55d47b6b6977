#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "infer/cells.h"
#include "infer/segment.h"

namespace cellroute::infer {

/** How an image is cut. Pixels are those of the network's input. */
struct Tiling {
  /** Network's pixels per pixel of the image, whatever the network's own resize says. */
  double scale = 1;
  int64_t size = 0;
  int64_t overlap = 0;
  /** Cells of the whole image at most; options.detect's limit is of each tile. */
  std::optional<int64_t> limit;
};

struct TiledCells {
  Cells cells;
  /** Where the seams run, in pixels of the image: x of the upright, y of the level ones. */
  std::vector<float> seams_x, seams_y;
  /** Cells with a seam through their box, rising. */
  std::vector<uint32_t> on_seam;
};

/** One image of any size, tile by tile, with memory for one tile besides the image and the
 *  cells. Intensities are those of the whole image; the limit and the rules for small and
 *  overlapping masks hold for the whole too. Polls within each tile. */
TiledCells segment_tiles(MaskRcnnPlan& plan, const io::Image& image, const SegmentOptions& options,
                         const Tiling& tiling, const JobContext& poll);

}  // namespace cellroute::infer
