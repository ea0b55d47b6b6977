#include "infer/segment_tiles.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "engine/profile.h"
#include "infer/stitch.h"
#include "infer/tile_plan.h"
#include "infer/vectors.h"
#include "io/window.h"
#include "ops/paste.h"

namespace cellroute::infer {
namespace {

/** A box that ends within this distance of its tile's border (pixels of the network's input, one
 *  step of its finest map) may continue beyond it. */
constexpr float kAtBorder = 4;

/** Fraction of the work that is done after all tiles. */
constexpr double kTilesEnd = 0.98;

int64_t scaled(int64_t length, double scale) {
  // Rounded down like the network's own resize.
  return std::max<int64_t>(1,
                           static_cast<int64_t>(std::floor(static_cast<double>(length) * scale)));
}

/** Stride in pixels of the coarsest of the network's maps. */
int64_t stride_of(const model::MaskRcnnConfig& config) {
  const int64_t last = int64_t{2} << config.returned_layers.back();
  return config.extra_level ? 2 * last : last;
}

/** One side of the image: its tiles, and image pixels per pixel of the network's input. */
struct Axis {
  int64_t length;
  double ratio;
  std::vector<TileSide> tiles;

  Axis(int64_t pixels, const Tiling& tiling, int64_t stride)
      : length(scaled(pixels, tiling.scale)),
        ratio(static_cast<double>(pixels) / static_cast<double>(length)),
        tiles(plan_tiles(length, tiling.size, tiling.overlap, stride)) {}

  std::vector<float> seams() const {
    std::vector<float> seams;
    for (size_t i = 1; i < tiles.size(); ++i) {
      seams.push_back(static_cast<float>(static_cast<double>(tiles[i].core_begin) * ratio));
    }
    return seams;
  }

  uint32_t window_begin(const TileSide& tile) const {
    return static_cast<uint32_t>(std::floor(static_cast<double>(tile.begin) * ratio));
  }
  uint32_t window_size(const TileSide& tile) const {
    return static_cast<uint32_t>(std::ceil(static_cast<double>(tile.end) * ratio)) -
           window_begin(tile);
  }

  /** Whether begin..end, relative to the tile's first pixel, touches a tile border inside the
   *  image. */
  bool cut(const TileSide& tile, float begin, float end) const {
    return (tile.begin > 0 && begin < kAtBorder) ||
           (tile.end < length && end > static_cast<float>(tile.end - tile.begin) - kAtBorder);
  }

  /** Index of the tile whose core contains the middle of begin..end. */
  size_t owner(const TileSide& tile, float begin, float end) const {
    const float centre = static_cast<float>(tile.begin) + (begin + end) / 2;
    const auto at = std::find_if(tiles.begin(), tiles.end() - 1, [centre](const TileSide& one) {
      return centre < static_cast<float>(one.core_end);
    });
    return static_cast<size_t>(at - tiles.begin());
  }

  float in_image(const TileSide& tile, float at) const {
    return (at + static_cast<float>(tile.begin)) * static_cast<float>(ratio);
  }
};

struct Tile {
  const Axis& across;
  const TileSide& x;
  const Axis& down;
  const TileSide& y;
  uint32_t index;

  io::Window window() const { return {x.begin, y.begin, x.end - x.begin, y.end - y.begin}; }
  mask::Box in_image() const {
    return {across.window_begin(x), down.window_begin(y), across.window_size(x),
            down.window_size(y)};
  }
};

/** Adds the detections of a tile. */
void add_sightings(std::vector<Sighting>& seen, const model::Detections& found, const Tile& tile,
                   const io::Image& image, double mask_threshold) {
  const auto& [across, x, down, y, index] = tile;
  const auto inside = to_vector<float>(found.boxes, torch::kFloat32);
  const auto scores = to_vector<float>(found.scores, torch::kFloat32);
  const auto labels = to_vector<int32_t>(found.labels, torch::kInt32);
  auto boxes = inside;
  for (size_t i = 0; i < boxes.size(); i += 2) {
    boxes[i] = across.in_image(x, boxes[i]);
    boxes[i + 1] = down.in_image(y, boxes[i + 1]);
  }
  const auto view = torch::from_blob(
      boxes.data(), {static_cast<int64_t>(scores.size()), int64_t{4}}, torch::kFloat32);
  auto masks =
      ops::paste_masks(found.mask_probabilities, view.to(found.mask_probabilities.device()),
                       image.height, image.width, mask_threshold);
  for (size_t i = 0; i < scores.size(); ++i) {
    const float* box = &inside[4 * i];
    const float* placed = &boxes[4 * i];
    seen.push_back(
        {.box = {placed[0], placed[1], placed[2], placed[3]},
         .score = scores[i],
         .label = labels[i],
         .mask = std::move(masks[i]),
         .tile = index,
         .cut = across.cut(x, box[0], box[2]) || down.cut(y, box[1], box[3]),
         .owner = static_cast<uint32_t>(down.owner(y, box[1], box[3]) * across.tiles.size() +
                                        across.owner(x, box[0], box[2]))});
  }
}

torch::Tensor input_of(const Tile& tile, const io::FloatImage& values, const io::Image& image,
                       torch::Device device) {
  const StageScope stage("intensity");
  return io::read_window(values, image, tile.down.length, tile.across.length, tile.window())
      .to(device);
}

std::vector<Sighting> stitched(std::vector<Sighting> seen, std::span<const mask::Box> windows) {
  const StageScope stage("seams");
  return stitch(std::move(seen), windows);
}

/** Progress of part `index` of `count` within the whole work. */
JobContext poll_of_tile(const JobContext& poll, size_t index, size_t count) {
  const auto stage = "tile " + std::to_string(index + 1) + " of " + std::to_string(count);
  return JobContext(nullptr, [&poll, stage, index, count](const char*, double fraction) {
    poll(stage.c_str(),
         kTilesEnd * (static_cast<double>(index) + fraction) / static_cast<double>(count));
  });
}

Cells to_cells(std::vector<Sighting> found, const std::optional<int64_t>& limit) {
  Cells cells;
  if (limit && static_cast<int64_t>(found.size()) > *limit) {
    found.resize(static_cast<size_t>(*limit));
    cells.detections_capped = true;
  }
  for (auto& cell : found) {
    cells.boxes.insert(cells.boxes.end(), cell.box.begin(), cell.box.end());
    cells.scores.push_back(cell.score);
    cells.labels.push_back(cell.label);
    cells.masks.push_back(std::move(cell.mask));
  }
  return cells;
}

bool crosses(const std::vector<float>& seams, float begin, float end) {
  const auto next = std::upper_bound(seams.begin(), seams.end(), begin);
  return next != seams.end() && *next < end;
}

}  // namespace

TiledCells segment_tiles(MaskRcnnPlan& plan, const io::Image& image, const SegmentOptions& options,
                         const Tiling& tiling, const JobContext& poll) {
  const torch::InferenceMode inference;
  Profile profile;
  const ProfileScope profiling(options.profile ? &profile : nullptr);
  poll("intensities", 0);
  const io::FloatImage values(image, options.intensity);
  const int64_t stride = stride_of(plan.config());
  const Axis across(image.width, tiling, stride), down(image.height, tiling, stride);
  const size_t count = across.tiles.size() * down.tiles.size();
  std::vector<Sighting> seen;
  std::vector<mask::Box> windows;
  bool detections_capped = false, proposals_capped = false;
  for (const auto& y : down.tiles) {
    for (const auto& x : across.tiles) {
      const Tile tile{across, x, down, y, static_cast<uint32_t>(windows.size())};
      const auto poll_tile = poll_of_tile(poll, windows.size(), count);
      const auto input = input_of(tile, values, image, plan.device());
      const auto found = plan.detect_as_resized(input, options.detect, poll_tile);
      add_sightings(seen, found, tile, image, options.mask_threshold);
      windows.push_back(tile.in_image());
      detections_capped |= found.detections_capped;
      proposals_capped |= found.proposals_capped;
    }
  }
  poll("seams", kTilesEnd);
  TiledCells result;
  result.cells = to_cells(stitched(std::move(seen), windows), tiling.limit);
  result.cells.detections_capped |= detections_capped;
  result.cells.proposals_capped |= proposals_capped;
  filter_by_area_and_overlap(result.cells, options.min_area, options.max_lost);
  result.seams_x = across.seams();
  result.seams_y = down.seams();
  const auto& boxes = result.cells.boxes;
  for (size_t i = 0; 4 * i < boxes.size(); ++i) {
    if (crosses(result.seams_x, boxes[4 * i], boxes[4 * i + 2]) ||
        crosses(result.seams_y, boxes[4 * i + 1], boxes[4 * i + 3])) {
      result.on_seam.push_back(static_cast<uint32_t>(i));
    }
  }
  result.cells.profile = std::move(profile);
  poll("done", 1.0);
  return result;
}

}  // namespace cellroute::infer
