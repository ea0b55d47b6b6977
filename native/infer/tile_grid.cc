#include "infer/tile_grid.h"

#include <algorithm>
#include <cmath>

#include "io/window.h"

namespace cellroute::infer {
namespace {

/** A box that ends within this distance of its tile's border (pixels of the network's input, one
 *  step of its finest map) may continue beyond it. */
constexpr float kBorderDistance = 4;

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

}  // namespace

TileAxis::TileAxis(int64_t pixels, const Tiling& tiling, int64_t stride)
    : pixels_(pixels),
      length_(scaled(pixels, tiling.scale)),
      ratio_(static_cast<double>(pixels) / static_cast<double>(length_)),
      tiles_(plan_tiles(length_, tiling.size, tiling.overlap, stride)) {}

std::vector<float> TileAxis::seams() const {
  std::vector<float> seams;
  for (size_t i = 1; i < tiles_.size(); ++i) {
    seams.push_back(static_cast<float>(static_cast<double>(tiles_[i].core_begin) * ratio_));
  }
  return seams;
}

uint32_t TileAxis::window_begin(size_t index) const {
  return static_cast<uint32_t>(std::floor(static_cast<double>(tiles_[index].begin) * ratio_));
}

uint32_t TileAxis::window_size(size_t index) const {
  return static_cast<uint32_t>(std::ceil(static_cast<double>(tiles_[index].end) * ratio_)) -
         window_begin(index);
}

uint32_t TileAxis::needed_begin(size_t index) const {
  const auto& tile = tiles_[index];
  return static_cast<uint32_t>(io::needed_pixels(pixels_, length_, tile.begin, tile.end).first);
}

uint32_t TileAxis::needed_size(size_t index) const {
  const auto& tile = tiles_[index];
  const auto [begin, end] = io::needed_pixels(pixels_, length_, tile.begin, tile.end);
  return static_cast<uint32_t>(end - begin);
}

bool TileAxis::cut(size_t index, float begin, float end) const {
  const auto& tile = tiles_[index];
  return (tile.begin > 0 && begin < kBorderDistance) ||
         (tile.end < length_ && end > static_cast<float>(tile.end - tile.begin) - kBorderDistance);
}

size_t TileAxis::owner(size_t index, float begin, float end) const {
  const float centre = static_cast<float>(tiles_[index].begin) + (begin + end) / 2;
  const auto at = std::find_if(tiles_.begin(), tiles_.end() - 1, [centre](const TileSide& one) {
    return centre < static_cast<float>(one.core_end);
  });
  return static_cast<size_t>(at - tiles_.begin());
}

bool TileAxis::left_to_neighbour(size_t index, float begin, float end) const {
  const auto& tile = tiles_[index];
  const auto start = static_cast<float>(tile.begin);
  const float centre = start + (begin + end) / 2;
  // The neighbour's box of the same cell may have another middle: it must not lie in this core.
  const float margin = kBorderDistance + (end - begin) / 4;
  if (index + 1 < tiles_.size() && centre > static_cast<float>(tile.core_end) + margin) {
    return start + begin > static_cast<float>(tiles_[index + 1].begin) + kBorderDistance;
  }
  if (index > 0 && centre < static_cast<float>(tile.core_begin) - margin) {
    return start + end < static_cast<float>(tiles_[index - 1].end) - kBorderDistance;
  }
  return false;
}

float TileAxis::in_image(size_t index, float at) const {
  return (at + static_cast<float>(tiles_[index].begin)) * static_cast<float>(ratio_);
}

TileGrid::TileGrid(const model::MaskRcnnConfig& config, int64_t image_width, int64_t image_height,
                   const Tiling& tiling)
    : width(image_width),
      height(image_height),
      across(image_width, tiling, stride_of(config)),
      down(image_height, tiling, stride_of(config)) {}

std::vector<mask::Box> TileGrid::windows() const {
  std::vector<mask::Box> windows;
  windows.reserve(count());
  for (size_t row = 0; row < rows(); ++row) {
    for (size_t column = 0; column < columns(); ++column) {
      windows.push_back({across.window_begin(column), down.window_begin(row),
                         across.window_size(column), down.window_size(row)});
    }
  }
  return windows;
}

}  // namespace cellroute::infer
