#pragma once

#include <cstdint>

// The input and output transforms of Winograd's convolution (Lavin and Gray 2015), over channels-
// last maps.
namespace cellroute::ops::cpu {

/** Channels of a tile are padded with zeros to a multiple of this. */
inline constexpr int64_t kTileChannels = 16;

/** Maps [images, height, width, C] divided into tiles: rows x columns per image, image after
 *  image. A tile is `side` x `side` outputs: 4 x 4 in F(4x4, 3x3) with 36 points, or 2 x 2 in
 *  F(2x2, 3x3) with 16 points. */
struct TileGrid {
  int64_t height;
  int64_t width;
  int64_t side;
  int64_t rows;
  int64_t columns;
};

/** Tiles of a grid, sorted by kind. Short tiles, which have at most two rows or columns of four
 *  inside the map, need only four of the six points along that side. In the order short
 *  downwards, whole, short to the right, short both ways, the tiles that need a point are
 *  contiguous. Points that a tile does not need are neither written nor read. */
struct TileList {
  const int64_t* tiles;  // where each is in the grid
  int64_t whole;         // where these begin,
  int64_t right;
  int64_t corner;
  int64_t count;  // and end
};

template <typename T>
struct InputTiles {
  const T* maps;
  const T* zeros;  // `channels` of them: what is beyond a map's border
  TileGrid grid;
  TileList list;
  int64_t channels;
  T* out;          // [points][list][padded channels]
  int64_t padded;  // channels per tile
  int64_t plane;   // values from one point to the next
};

template <typename T>
struct OutputTiles {
  const float* products;  // [points][list][padded channels]
  int64_t padded;
  int64_t plane;
  TileGrid grid;
  TileList list;
  int64_t channels;       // of the maps
  int64_t first_channel;  // of the maps, and of products
  int64_t channel_count;  // written
  const float* bias;      // of first_channel; padded
  const T* residual;      // maps like `maps`, added before ReLU; may be null
  bool relu;
  T* maps;
};

template <typename T>
struct TileTransforms {
  void (*input)(const InputTiles<T>&) = nullptr;
  void (*output)(const OutputTiles<T>&) = nullptr;
};

}  // namespace cellroute::ops::cpu
