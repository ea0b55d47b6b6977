#include "infer/tile_plan.h"

#include <cstddef>
#include <vector>

#include "checks.h"

namespace tile_plan_test {

using cellroute::infer::plan_tiles;

TEST_CASE("tile plan: cores cover each pixel once, and neighbours share the overlap") {
  for (const int64_t stride : {1, 4, 32}) {
    for (const int64_t size : {1, 5, 64, 100}) {
      for (const int64_t overlap : {0, 1, 2, 32}) {
        if (2 * overlap > size) continue;
        for (int64_t length = 1; length < 700; length += 13) {
          CAPTURE(stride);
          CAPTURE(size);
          CAPTURE(overlap);
          CAPTURE(length);
          const auto tiles = plan_tiles(length, size, overlap, stride);
          std::vector<int> owners(static_cast<std::size_t>(length));
          for (const auto& tile : tiles) {
            CHECK(tile.begin % stride == 0);
            CHECK(tile.begin <= tile.core_begin);
            CHECK(tile.core_end <= tile.end);
            CHECK(tile.end <= length);
            CHECK(tile.end - tile.begin < size + stride);
            for (int64_t x = tile.core_begin; x < tile.core_end; ++x) ++owners[x];
          }
          CHECK(owners == std::vector<int>(owners.size(), 1));
          CHECK(tiles.front().begin == 0);
          CHECK(tiles.back().end == length);
          for (std::size_t i = 1; i < tiles.size(); ++i) {
            const int64_t shared = tiles[i - 1].end - tiles[i].begin;
            // If strides are larger than tiles, the overlap is what remains.
            if (size >= 2 * stride) CHECK(shared >= overlap);
            CHECK(tiles[i].core_begin - tiles[i].begin >= shared / 2);
          }
        }
      }
    }
  }
}

TEST_CASE("tile plan: a small image is one tile, and the last tile ends with the image") {
  const auto one = plan_tiles(700, 700, 128, 64);
  REQUIRE(one.size() == 1);
  CHECK(one[0].end == 700);
  CHECK(one[0].core_end == 700);
  const auto tiles = plan_tiles(2000, 1024, 128, 64);
  REQUIRE(tiles.size() == 3);
  // Three tiles of 768 pixels are enough where two of 1024 are not.
  CHECK(tiles[0].end == 768);
  CHECK(tiles[1].begin == 640);
  CHECK(tiles[2].begin == 1280);
  CHECK(tiles[2].end == 2000);
  CHECK(tiles[0].core_end == (768 + 640) / 2);
}

}  // namespace tile_plan_test
