#pragma once

#include "ops/cpu/vec.h"
#include "ops/cpu/winograd/winograd_tiles.h"

namespace cellroute::ops::cpu {
namespace {

// Along one side of a tile: the points, and their indices among those of the whole side.

/** F(4, 3) at the points 0, 5/8, -5/8, 3/2, -3/2 and infinity. These have the smallest error of
 *  all pairs whose values are exact in float32; the usual points 1 and 2 have twice the error. */
struct LargePoints {
  using Value = float;
  static constexpr int kOutputs = 4;
  static constexpr int kInputs = 6;
  static constexpr int kAll = 6;
  static constexpr int kPointIndex[kInputs] = {0, 1, 2, 3, 4, 5};
  static constexpr float kNear = 0.625F;
  static constexpr float kFar = 1.5F;
  static constexpr float kNear2 = kNear * kNear;
  static constexpr float kFar2 = kFar * kFar;

  static void input(const Vec (&d)[kInputs], Vec (&v)[kInputs]) {
    const Vec a = d[4] - kFar2 * d[2];
    const Vec b = kNear * (d[3] - kFar2 * d[1]);
    const Vec c = d[4] - kNear2 * d[2];
    const Vec e = kFar * (d[3] - kNear2 * d[1]);
    v[0] = kNear2 * kFar2 * d[0] - (kNear2 + kFar2) * d[2] + d[4];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = c + e;
    v[4] = c - e;
    v[5] = kNear2 * kFar2 * d[1] - (kNear2 + kFar2) * d[3] + d[5];
  }

  static void output(const Vec (&m)[kInputs], Vec (&y)[kOutputs]) {
    const Vec a = m[1] + m[2];
    const Vec b = m[1] - m[2];
    const Vec c = m[3] + m[4];
    const Vec e = m[3] - m[4];
    y[0] = m[0] + a + c;
    y[1] = kNear * b + kFar * e;
    y[2] = kNear2 * a + kFar2 * c;
    y[3] = kNear2 * kNear * b + kFar2 * kFar * e + m[5];
  }

  /** `output` transposed. */
  static void gradient(const Vec (&y)[kOutputs], Vec (&m)[kInputs]) {
    const Vec a = y[0] + kNear2 * y[2];
    const Vec b = kNear * y[1] + kNear2 * kNear * y[3];
    const Vec c = y[0] + kFar2 * y[2];
    const Vec e = kFar * y[1] + kFar2 * kFar * y[3];
    m[0] = y[0];
    m[1] = a + b;
    m[2] = a - b;
    m[3] = c + e;
    m[4] = c - e;
    m[5] = y[3];
  }
};

/** The last one or two outputs of F(4, 3): F(2, 3) at the points 0, 5/8, -5/8 and infinity with
 *  the same weights. The weights contain the distances to the omitted points, which are divided
 *  out here. */
struct ShortPoints {
  using Value = float;
  using Large = LargePoints;
  static constexpr int kOutputs = 2;
  static constexpr int kInputs = 4;
  static constexpr int kAll = Large::kAll;
  static constexpr int kPointIndex[kInputs] = {0, 1, 2, 5};

  static void input(const Vec (&d)[kInputs], Vec (&v)[kInputs]) {
    constexpr float kOmittedPoints = Large::kNear2 - Large::kFar2;
    const Vec a = kOmittedPoints * d[2];
    const Vec b = kOmittedPoints * Large::kNear * d[1];
    v[0] = Large::kFar2 * (Large::kNear2 * d[0] - d[2]);
    v[1] = a + b;
    v[2] = a - b;
    v[3] = d[3] - Large::kNear2 * d[1];
  }

  static void output(const Vec (&m)[kInputs], Vec (&y)[kOutputs]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = Large::kNear * (m[1] - m[2]) + m[3];
  }
};

/** F(2, 3) at the points 0, 1, -1 and infinity. */
template <typename T>
struct SmallPoints {
  using Value = T;
  static constexpr int kOutputs = 2;
  static constexpr int kInputs = 4;
  static constexpr int kAll = 4;
  static constexpr int kPointIndex[kInputs] = {0, 1, 2, 3};

  static void input(const Vec (&d)[kInputs], Vec (&v)[kInputs]) {
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }

  static void output(const Vec (&m)[kInputs], Vec (&y)[kOutputs]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] + m[3];
  }
};

/** The start of a tile in its map. */
struct Tile {
  int64_t image;
  int64_t top;
  int64_t left;
};

inline Tile tile_at(int64_t index, const TileGrid& grid) {
  const int64_t in_image = index % (grid.rows * grid.columns);
  return {index / (grid.rows * grid.columns), in_image / grid.columns * grid.side,
          in_image % grid.columns * grid.side};
}

/** The first `lanes` values, padded with zeros: reading past a map's end is not allowed. */
template <typename T>
inline Vec load_partial(const T* from, int64_t lanes) {
  if (lanes >= kLanes) return load(from);
  T some[kLanes] = {};
  for (int64_t i = 0; i < lanes; ++i) some[i] = from[i];
  return load(some);
}

template <typename Down, typename Right>
inline void transform_input(const typename Down::Value* const* pixels, int64_t channel,
                            typename Down::Value* out, int64_t plane) {
  Vec rows[Down::kInputs][Right::kInputs];  // transformed downwards: [point][x]
  for (int x = 0; x < Right::kInputs; ++x) {
    Vec column[Down::kInputs], points[Down::kInputs];
    for (int y = 0; y < Down::kInputs; ++y) {
      column[y] = load(pixels[y * Right::kInputs + x] + channel);
    }
    Down::input(column, points);
    for (int y = 0; y < Down::kInputs; ++y) rows[y][x] = points[y];
  }
  for (int y = 0; y < Down::kInputs; ++y) {
    Vec points[Right::kInputs];
    Right::input(rows[y], points);
    for (int x = 0; x < Right::kInputs; ++x) {
      store(out + (Down::kPointIndex[y] * Right::kAll + Right::kPointIndex[x]) * plane, points[x]);
    }
  }
}

template <typename Down, typename Right>
void input_tiles_of_a_kind(const InputTiles<typename Down::Value>& tiles, int64_t begin,
                           int64_t end) {
  using Value = typename Down::Value;
  constexpr int kPixels = Down::kInputs * Right::kInputs;
  const auto& grid = tiles.grid;
  for (int64_t t = begin; t < end; ++t) {
    const Tile tile = tile_at(tiles.list.tiles[t], grid);
    const Value* pixels[kPixels];
    for (int i = 0; i < Down::kInputs; ++i) {
      const int64_t y = tile.top - 1 + i;
      for (int j = 0; j < Right::kInputs; ++j) {
        const int64_t x = tile.left - 1 + j;
        const bool inside = y >= 0 && y < grid.height && x >= 0 && x < grid.width;
        pixels[i * Right::kInputs + j] =
            inside ? tiles.maps + ((tile.image * grid.height + y) * grid.width + x) * tiles.channels
                   : tiles.zeros;
      }
    }
    Value* out = tiles.out + t * tiles.padded;
    int64_t c = 0;
    for (; c + kLanes <= tiles.channels; c += kLanes) {
      transform_input<Down, Right>(pixels, c, out + c, tiles.plane);
    }
    if (c < tiles.padded) {
      // The last channels are copied and padded with zeros: reading past a map's end is not
      // allowed.
      Value rest[kPixels][kTileChannels] = {};
      for (int i = 0; i < kPixels; ++i) {
        for (int64_t k = c; k < tiles.channels; ++k) rest[i][k - c] = pixels[i][k];
        pixels[i] = rest[i];
      }
      for (int64_t k = 0; c + k < tiles.padded; k += kLanes) {
        transform_input<Down, Right>(pixels, k, out + c + k, tiles.plane);
      }
    }
  }
}

/** Calls fn<Down, Right>(begin, end) for the tiles of each kind in a list. */
template <typename Whole, typename Short, typename F>
void for_each_kind(const TileList& list, F&& fn) {
  fn.template operator()<Short, Whole>(0, list.whole);
  fn.template operator()<Whole, Whole>(list.whole, list.right);
  fn.template operator()<Whole, Short>(list.right, list.corner);
  fn.template operator()<Short, Short>(list.corner, list.count);
}

template <typename Whole, typename Short>
void input_tiles(const InputTiles<typename Whole::Value>& tiles) {
  for_each_kind<Whole, Short>(tiles.list,
                              [&]<typename Down, typename Right>(int64_t begin, int64_t end) {
                                input_tiles_of_a_kind<Down, Right>(tiles, begin, end);
                              });
}

/** Transforms the output's gradient with the transposed output transform; all tiles are treated
 *  as whole. Outside the maps the gradient is zero. */
template <typename Points>
void gradient_tiles(const InputTiles<typename Points::Value>& tiles) {
  using Value = typename Points::Value;
  constexpr int kInputs = Points::kInputs;
  constexpr int kOutputs = Points::kOutputs;
  const auto& grid = tiles.grid;
  for (int64_t t = 0; t < tiles.list.count; ++t) {
    const Tile tile = tile_at(tiles.list.tiles[t], grid);
    const Value* corner =
        tiles.maps +
        ((tile.image * grid.height + tile.top) * grid.width + tile.left) * tiles.channels;
    for (int64_t c = 0; c < tiles.padded; c += kLanes) {
      const int64_t lanes = tiles.channels - c;
      Vec columns[kInputs][kOutputs];  // transformed along y: [point][x]
      for (int x = 0; x < kOutputs; ++x) {
        Vec column[kOutputs], points[kInputs];
        for (int y = 0; y < kOutputs; ++y) {
          const bool inside = tile.top + y < grid.height && tile.left + x < grid.width;
          const Value* from = corner + (y * grid.width + x) * tiles.channels + c;
          column[y] = inside ? load_partial(from, lanes) : Vec{};
        }
        Points::gradient(column, points);
        for (int y = 0; y < kInputs; ++y) columns[y][x] = points[y];
      }
      Value* out = tiles.out + t * tiles.padded + c;
      for (int y = 0; y < kInputs; ++y) {
        Vec points[kInputs];
        Points::gradient(columns[y], points);
        for (int x = 0; x < kInputs; ++x) store(out + (y * kInputs + x) * tiles.plane, points[x]);
      }
    }
  }
}

template <typename Down, typename Right>
void output_tiles_of_a_kind(const OutputTiles<typename Down::Value>& tiles, int64_t begin,
                            int64_t end) {
  const auto& grid = tiles.grid;
  for (int64_t t = begin; t < end; ++t) {
    const Tile tile = tile_at(tiles.list.tiles[t], grid);
    const int64_t below = grid.height - tile.top, beside = grid.width - tile.left;
    const int64_t height = below < Down::kOutputs ? below : Down::kOutputs;
    const int64_t width = beside < Right::kOutputs ? beside : Right::kOutputs;
    const int64_t corner =
        ((tile.image * grid.height + tile.top) * grid.width + tile.left) * tiles.channels +
        tiles.first_channel;
    for (int64_t c = 0; c < tiles.channel_count; c += kLanes) {
      const float* products = tiles.products + t * tiles.padded + c;
      Vec rows[Down::kOutputs][Right::kInputs];
      for (int x = 0; x < Right::kInputs; ++x) {
        Vec column[Down::kInputs], values[Down::kOutputs];
        for (int y = 0; y < Down::kInputs; ++y) {
          const int point = Down::kPointIndex[y] * Right::kAll + Right::kPointIndex[x];
          column[y] = load(products + point * tiles.plane);
        }
        Down::output(column, values);
        for (int y = 0; y < Down::kOutputs; ++y) rows[y][x] = values[y];
      }
      const Vec bias = load(tiles.bias + c);
      const int64_t left = tiles.channel_count - c;
      const int64_t lanes = left < kLanes ? left : kLanes;
      for (int y = 0; y < height; ++y) {
        Vec values[Right::kOutputs];
        Right::output(rows[y], values);
        for (int x = 0; x < width; ++x) {
          const int64_t at = corner + (y * grid.width + x) * tiles.channels + c;
          write(tiles.maps + at, lanes, values[x] + bias,
                tiles.residual == nullptr ? nullptr : tiles.residual + at, tiles.relu);
        }
      }
    }
  }
}

template <typename Whole, typename Short>
void output_tiles(const OutputTiles<typename Whole::Value>& tiles) {
  for_each_kind<Whole, Short>(tiles.list,
                              [&]<typename Down, typename Right>(int64_t begin, int64_t end) {
                                output_tiles_of_a_kind<Down, Right>(tiles, begin, end);
                              });
}

constexpr TileTransforms<float> kLargeTiles{input_tiles<LargePoints, ShortPoints>,
                                            output_tiles<LargePoints, ShortPoints>};

template <typename T>
constexpr TileTransforms<T> kSmallTiles{input_tiles<SmallPoints<T>, SmallPoints<T>>,
                                        output_tiles<SmallPoints<T>, SmallPoints<T>>};

}  // namespace
}  // namespace cellroute::ops::cpu
