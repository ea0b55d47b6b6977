#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "infer/cells.h"
#include "infer/segment.h"
#include "infer/stitch.h"
#include "infer/tile_grid.h"
#include "io/intensity.h"

namespace cellroute::infer {

/** Which tile of an image is segmented, and where the pixels that are given lie in the image. */
struct TilePlace {
  uint32_t index;
  int64_t x;
  int64_t y;
};

/** What the network detected in tiles. */
struct TileResult {
  std::vector<TileDetection> detections;
  bool detections_capped = false;
  bool proposals_capped = false;
  /** Empty unless requested. */
  Profile profile;
};

/** Segments one tile of an image. `image` is the whole image, or the part of it at `place`, which
 *  has at least the pixels that the tile needs. `range` was measured over the whole image, or over
 *  a sample of it. Boxes and masks are in pixels of the whole image. Detections that a neighbouring
 *  tile shows better are left to it and get no mask. */
TileResult segment_tile(MaskRcnnPlan& plan, const io::Image& image, const TileGrid& grid,
                        const TilePlace& place, const std::optional<io::IntensityRange>& range,
                        const SegmentOptions& options, const JobContext& poll);

/** The rules for the cells of the whole image. */
struct StitchOptions {
  uint32_t min_area = 0;
  std::optional<double> max_lost;
  /** Maximum number of cells; the limit in SegmentOptions applies to each tile. */
  std::optional<int64_t> limit;
  /** The first row of tiles that was not segmented yet: cells that it may change are kept back. */
  std::optional<size_t> next_row;
  bool profile = false;
};

struct StitchedCells {
  Cells cells;
  /** Indices of the cells whose box crosses a seam, increasing. */
  std::vector<uint32_t> on_seam;
  /** Indices of the detections that were kept back, increasing. */
  std::vector<uint32_t> open;
};

/** Joins the detections of tiles to the cells of the image, by decreasing score. */
StitchedCells stitch_tiles(std::vector<TileDetection> detections, const TileGrid& grid,
                           const StitchOptions& options, const JobContext& poll);

}  // namespace cellroute::infer
