#include "infer/segment_tiles.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <string>
#include <utility>

#include "engine/profile.h"
#include "error.h"
#include "infer/vectors.h"
#include "io/window.h"
#include "ops/paste.h"

namespace cellroute::infer {
namespace {

/** Fraction of the work that is done when stitching begins. */
constexpr double kStitchBegins = 0.98;

/** A mask may extend this far, in pixels, beyond its box and its tile. */
constexpr float kMaskMargin = 2;

struct Position {
  size_t column;
  size_t row;
};

Position position_of(const TileGrid& grid, uint32_t index) {
  return {index % grid.columns(), index / grid.columns()};
}

torch::Tensor input_of(const TileGrid& grid, const TilePlace& place, const io::Image& image,
                       const std::optional<io::IntensityRange>& range, torch::Device device) {
  const StageScope stage("intensity");
  const auto [column, row] = position_of(grid, place.index);
  const auto &x = grid.across.tiles()[column], &y = grid.down.tiles()[row];
  const io::FloatImage values(image, range);
  auto input = io::read_window(values, image, {place.x, place.y, grid.width, grid.height},
                               grid.down.length(), grid.across.length(),
                               {x.begin, y.begin, x.end - x.begin, y.end - y.begin});
  if (image.type == io::Image::Type::kF32 && !at::isfinite(input).all().item<bool>()) {
    throw Error("IMAGE_UNSUPPORTED", "Tile " + std::to_string(place.index) +
                                         " of the image has a value that is NaN or infinite");
  }
  return input.to(device);
}

/** Rows of the boxes that no neighbouring tile shows better. */
torch::Tensor own_rows(const TileGrid& grid, const Position& at, const torch::Tensor& boxes) {
  const auto values = to_vector<float>(boxes, torch::kFloat32);
  std::vector<int64_t> rows;
  for (size_t i = 0; 4 * i < values.size(); ++i) {
    const float* box = &values[4 * i];
    if (!grid.across.left_to_neighbour(at.column, box[0], box[2]) &&
        !grid.down.left_to_neighbour(at.row, box[1], box[3])) {
      rows.push_back(static_cast<int64_t>(i));
    }
  }
  return torch::tensor(rows, torch::kLong).to(boxes.device());
}

std::vector<TileDetection> tile_detections(const model::Detections& found, const TileGrid& grid,
                                           uint32_t index, double mask_threshold) {
  const auto [column, row] = position_of(grid, index);
  const auto &across = grid.across, &down = grid.down;
  const auto inside = to_vector<float>(found.boxes, torch::kFloat32);
  const auto scores = to_vector<float>(found.scores, torch::kFloat32);
  const auto labels = to_vector<int32_t>(found.labels, torch::kInt32);
  auto boxes = inside;
  for (size_t i = 0; i < boxes.size(); i += 2) {
    boxes[i] = across.in_image(column, boxes[i]);
    boxes[i + 1] = down.in_image(row, boxes[i + 1]);
  }
  const auto view = torch::from_blob(
      boxes.data(), {static_cast<int64_t>(scores.size()), int64_t{4}}, torch::kFloat32);
  auto masks =
      ops::paste_masks(found.mask_probabilities, view.to(found.mask_probabilities.device()),
                       grid.height, grid.width, mask_threshold);
  std::vector<TileDetection> detections;
  detections.reserve(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    const float* box = &inside[4 * i];
    const float* placed = &boxes[4 * i];
    detections.push_back(
        {.box = {placed[0], placed[1], placed[2], placed[3]},
         .score = scores[i],
         .label = labels[i],
         .mask = std::move(masks[i]),
         .tile = index,
         .cut = across.cut(column, box[0], box[2]) || down.cut(row, box[1], box[3]),
         .owner = static_cast<uint32_t>(down.owner(row, box[1], box[3]) * grid.columns() +
                                        across.owner(column, box[0], box[2]))});
  }
  return detections;
}

Cells to_cells(std::vector<TileDetection> found, const std::optional<int64_t>& limit) {
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

std::vector<uint32_t> cells_on_seams(const std::vector<float>& boxes, const TileGrid& grid) {
  const auto across = grid.across.seams(), down = grid.down.seams();
  std::vector<uint32_t> found;
  for (size_t i = 0; 4 * i < boxes.size(); ++i) {
    if (crosses(across, boxes[4 * i], boxes[4 * i + 2]) ||
        crosses(down, boxes[4 * i + 1], boxes[4 * i + 3])) {
      found.push_back(static_cast<uint32_t>(i));
    }
  }
  return found;
}

/** Removes the detections that the rows from `next_row` on may change, and returns their indices.
 */
std::vector<uint32_t> take_open_detections(std::vector<TileDetection>& detections,
                                           const TileGrid& grid, size_t next_row) {
  const float begin = static_cast<float>(grid.down.window_begin(next_row)) - kMaskMargin;
  const auto open =
      connected_to(detections, [begin](const TileDetection& one) { return one.box[3] >= begin; });
  std::vector<TileDetection> closed;
  size_t next = 0;
  for (size_t i = 0; i < detections.size(); ++i) {
    if (next < open.size() && open[next] == i) {
      ++next;
    } else {
      closed.push_back(std::move(detections[i]));
    }
  }
  detections = std::move(closed);
  return open;
}

}  // namespace

TileResult segment_tile(MaskRcnnPlan& plan, const io::Image& image, const TileGrid& grid,
                        const TilePlace& place, const std::optional<io::IntensityRange>& range,
                        const SegmentOptions& options, const JobContext& poll) {
  const torch::InferenceMode inference;
  Profile profile;
  const ProfileScope profiling(options.profile ? &profile : nullptr);
  const auto input = input_of(grid, place, image, range, plan.device());
  const auto at = position_of(grid, place.index);
  const auto found =
      plan.detect_as_resized(input, options.detect, poll,
                             [&](const torch::Tensor& boxes) { return own_rows(grid, at, boxes); });
  TileResult result;
  result.detections = tile_detections(found, grid, place.index, options.mask_threshold);
  result.detections_capped = found.detections_capped;
  result.proposals_capped = found.proposals_capped;
  result.profile = std::move(profile);
  return result;
}

StitchedCells stitch_tiles(std::vector<TileDetection> detections, const TileGrid& grid,
                           const StitchOptions& options, const JobContext& poll) {
  Profile profile;
  const ProfileScope profiling(options.profile ? &profile : nullptr);
  poll("seams", kStitchBegins);
  StitchedCells result;
  {
    const StageScope stage("seams");
    if (options.next_row) result.open = take_open_detections(detections, grid, *options.next_row);
    const auto windows = grid.windows();
    result.cells = to_cells(stitch(std::move(detections), windows), options.limit);
  }
  filter_by_area_and_overlap(result.cells, options.min_area, options.max_lost);
  result.on_seam = cells_on_seams(result.cells.boxes, grid);
  result.cells.profile = std::move(profile);
  poll("done", 1.0);
  return result;
}

}  // namespace cellroute::infer
