#include "infer/segment_tiles.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "errors.h"
#include "small_network.h"
#include "tensors.h"

namespace segment_tiles_test {

using namespace cellroute;
using namespace cellroute::infer;

namespace {

/** A network with random weights and detections everywhere. */
model::MaskRcnnConfig eager_config() {
  auto config = test::small_config();
  config.backbone.norm = {.kind = model::NormKind::kBatch, .eps = 1e-5, .groups = 1};
  config.box.score_threshold = 0;
  return config;
}

MaskRcnnPlan plan_of(const model::MaskRcnnConfig& config) {
  torch::manual_seed(3);
  model::MaskRcnn network(config);
  network->eval();
  return MaskRcnnPlan(network, torch::kFloat32);
}

io::Image spots(int64_t height, int64_t width) {
  io::Image image{
      .type = io::Image::Type::kU8, .bytes = {}, .width = width, .height = height, .channels = 1};
  std::mt19937 random(11);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double spot = std::sin(double(x) / 5) * std::sin(double(y) / 7);
      // Brighter to the right, so that no tile has the intensity range of the whole image.
      image.bytes.push_back(uint8_t((spot > 0.4 ? 90 : 20) + 140 * x / width + random() % 5));
    }
  }
  return image;
}

SegmentOptions options_of(const model::MaskRcnnConfig& config) {
  SegmentOptions options{.intensity = {.kind = io::Intensity::Kind::kMinMax},
                         .detect = model::DetectOptions::of(config),
                         .max_lost = std::nullopt};
  options.detect.detections_per_image = 40;
  return options;
}

Cells whole_image(MaskRcnnPlan& plan, const io::Image& image, const SegmentOptions& options) {
  std::vector<Input> inputs;
  inputs.push_back({.image = &image});
  return segment(plan, std::move(inputs), options, {})[0];
}

Tiling tiles_of(int64_t size, int64_t overlap, double scale = 1) {
  return {.scale = scale, .size = size, .overlap = overlap};
}

/** All tiles of an image, joined. */
struct Tiled {
  Cells cells;
  std::vector<float> seams_x, seams_y;
  std::vector<uint32_t> on_seam;
};

Tiled segment_tiles(MaskRcnnPlan& plan, const io::Image& image, const SegmentOptions& options,
                    const Tiling& tiling, const std::optional<int64_t>& limit = {}) {
  const TileGrid grid(plan.config(), image.width, image.height, tiling);
  const auto range = io::measure_range(image, options.intensity);
  std::vector<TileDetection> detections;
  bool detections_capped = false;
  for (uint32_t i = 0; i < grid.count(); ++i) {
    auto found = segment_tile(plan, image, grid, {i, 0, 0}, range, options, {});
    detections.insert(detections.end(), found.detections.begin(), found.detections.end());
    detections_capped |= found.detections_capped;
  }
  auto stitched = stitch_tiles(
      detections, grid, {options.min_area, options.max_lost, limit, std::nullopt, false}, {});
  stitched.cells.detections_capped |= detections_capped;
  return {std::move(stitched.cells), grid.across.seams(), grid.down.seams(), stitched.on_seam};
}

void check_close(const Cells& actual, const Cells& expected, float tolerance) {
  REQUIRE(actual.scores.size() == expected.scores.size());
  CHECK(actual.scores.size() > 0);
  CHECK(actual.labels == expected.labels);
  for (size_t i = 0; i < actual.boxes.size(); ++i) {
    CHECK(std::abs(actual.boxes[i] - expected.boxes[i]) <= tolerance);
  }
  for (size_t i = 0; i < actual.scores.size(); ++i) {
    CHECK(std::abs(actual.scores[i] - expected.scores[i]) <= tolerance);
  }
}

}  // namespace

TEST_CASE("tiles: an image that fits into one tile equals segmentation without tiles") {
  const auto config = eager_config();
  auto plan = plan_of(config);
  auto options = options_of(config);
  SUBCASE("overlapping") {}
  SUBCASE("without overlaps and small cells") {
    options.max_lost = 0.5;
    options.min_area = 5;
  }
  const auto image = spots(75, 90);
  const auto whole = whole_image(plan, image, options);
  const auto tiled = segment_tiles(plan, image, options, tiles_of(128, 32));
  check_close(tiled.cells, whole, 0);
  CHECK((tiled.cells.masks == whole.masks));
  CHECK(tiled.cells.areas == whole.areas);
  CHECK(tiled.cells.detections_capped == whole.detections_capped);
  CHECK(tiled.seams_x.empty());
  CHECK(tiled.seams_y.empty());
  CHECK(tiled.on_seam.empty());
}

TEST_CASE("tiles: the scale is that of the tiling, whatever the network's resize") {
  auto config = eager_config();
  config.resize = {.min_size = 96, .max_size = 1000, .scale = {}};
  auto plan = plan_of(config);
  auto options = options_of(config);
  // One tile at the scale of the whole image gives the same result.
  options.detect.detections_per_image = 10;
  const auto image = spots(64, 80);
  const auto whole = whole_image(plan, image, options);
  const auto tiled = segment_tiles(plan, image, options, tiles_of(128, 0, 1.5));
  check_close(tiled.cells, whole, 1e-3F);
}

TEST_CASE("tiles: intensities are normalised over the whole image") {
  const auto config = eager_config();
  auto plan = plan_of(config);
  auto options = options_of(config);
  const auto image = spots(100, 200);
  const auto tiling = tiles_of(64, 16);
  const auto tiled = segment_tiles(plan, image, options, tiling);
  CHECK(tiled.seams_x.size() > 1);
  // The same result from floats that were scaled over the whole image before.
  const auto scaled = io::to_float(image, options.intensity)[0].contiguous();
  io::Image floats{.type = io::Image::Type::kF32,
                   .bytes = {},
                   .width = image.width,
                   .height = image.height,
                   .channels = 1};
  const auto* bytes = reinterpret_cast<const uint8_t*>(scaled.const_data_ptr<float>());
  floats.bytes.assign(bytes, bytes + scaled.numel() * 4);
  options.intensity = {};
  const auto expected = segment_tiles(plan, floats, options, tiling);
  check_close(tiled.cells, expected.cells, 0);
  CHECK((tiled.cells.masks == expected.cells.masks));
}

TEST_CASE("tiles: the limit applies to the whole image, and cells on seams are marked") {
  const auto config = eager_config();
  auto plan = plan_of(config);
  const auto options = options_of(config);
  const auto image = spots(150, 150);
  const auto tiling = tiles_of(64, 16);
  const auto all = segment_tiles(plan, image, options, tiling);
  REQUIRE(all.cells.scores.size() > 20);
  CHECK(std::is_sorted(all.cells.scores.rbegin(), all.cells.scores.rend()));
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i < all.cells.scores.size(); ++i) {
    const auto* box = &all.cells.boxes[size_t{4} * i];
    bool on_seam = false;
    for (const float x : all.seams_x) on_seam |= box[0] < x && x < box[2];
    for (const float y : all.seams_y) on_seam |= box[1] < y && y < box[3];
    if (on_seam) expected.push_back(i);
  }
  CHECK(all.on_seam == expected);
  CHECK(!expected.empty());

  const auto some = segment_tiles(plan, image, options, tiling, 7);
  CHECK(some.cells.detections_capped);
  REQUIRE(some.cells.scores.size() == 7);
  for (size_t i = 0; i < 7; ++i) CHECK((some.cells.masks[i] == all.cells.masks[i]));
}

TEST_CASE("tiles: a tile needs its own pixels alone, and rows can be joined as they are finished") {
  const auto config = eager_config();
  auto plan = plan_of(config);
  auto options = options_of(config);
  SUBCASE("with overlaps") {}
  SUBCASE("without overlaps") { options.max_lost = 0.5; }
  const auto image = spots(260, 150);
  const auto tiling = tiles_of(64, 16);
  const auto expected = segment_tiles(plan, image, options, tiling);
  const TileGrid grid(plan.config(), image.width, image.height, tiling);
  REQUIRE(grid.rows() > 3);
  const auto range = io::measure_range(image, options.intensity);
  std::vector<TileDetection> detections;
  using Row = std::tuple<float, float, float, std::vector<uint32_t>>;
  std::vector<Row> rows;
  size_t early = 0;
  for (size_t row = 0; row < grid.rows(); ++row) {
    for (size_t column = 0; column < grid.columns(); ++column) {
      const int64_t x = grid.across.needed_begin(column), y = grid.down.needed_begin(row);
      io::Image part{.type = image.type,
                     .bytes = {},
                     .width = grid.across.needed_size(column),
                     .height = grid.down.needed_size(row),
                     .channels = 1};
      for (int64_t line = y; line < y + part.height; ++line) {
        const auto begin = image.bytes.begin() + line * image.width + x;
        part.bytes.insert(part.bytes.end(), begin, begin + part.width);
      }
      const auto index = static_cast<uint32_t>(row * grid.columns() + column);
      auto found = segment_tile(plan, part, grid, {index, x, y}, range, options, {});
      detections.insert(detections.end(), found.detections.begin(), found.detections.end());
    }
    StitchOptions rules{options.min_area, options.max_lost, std::nullopt, std::nullopt, false};
    if (row + 1 < grid.rows()) rules.next_row = row + 1;
    const auto finished = stitch_tiles(detections, grid, rules, {});
    const auto& cells = finished.cells;
    for (size_t i = 0; i < cells.scores.size(); ++i) {
      rows.emplace_back(-cells.scores[i], cells.boxes[4 * i + 1], cells.boxes[4 * i],
                        cells.masks[i].counts);
    }
    if (row + 1 < grid.rows()) early += cells.scores.size();
    std::vector<TileDetection> open;
    for (const uint32_t i : finished.open) open.push_back(detections[i]);
    detections = open;
  }
  std::sort(rows.begin(), rows.end());
  std::vector<Row> all;
  for (size_t i = 0; i < expected.cells.scores.size(); ++i) {
    all.emplace_back(-expected.cells.scores[i], expected.cells.boxes[4 * i + 1],
                     expected.cells.boxes[4 * i], expected.cells.masks[i].counts);
  }
  std::sort(all.begin(), all.end());
  CHECK((rows == all));
  MESSAGE(early << " of " << all.size() << " cells before the last row");
}

}  // namespace segment_tiles_test
