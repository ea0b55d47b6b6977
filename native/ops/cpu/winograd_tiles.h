#pragma once

#include <cstdint>

// The two transforms of Winograd's convolution around its products (Lavin and Gray 2015), over
// channels-last maps.
namespace cellroute::ops::cpu {

/** Channels of a tile are padded with zeros to a multiple of this. */
inline constexpr int64_t kTileChannels = 16;

/** Maps [pictures, height, width, C] as tiles: rows x columns a picture, one after the other. Those
 *  of float32 are 4 x 4 outputs in F(4x4, 3x3), with 36 points; those of bfloat16 2 x 2 outputs in
 *  F(2x2, 3x3), with 16. */
struct TileGrid {
  int64_t height;
  int64_t width;
  int64_t rows;
  int64_t columns;
};

template <typename T>
struct InputTiles {
  const T* maps;
  const T* zeros;  // `channels` of them: what is beyond a map's border
  TileGrid grid;
  int64_t channels;
  int64_t first;  // tile
  int64_t count;
  T* out;          // [points][count][padded channels]
  int64_t padded;  // channels a tile
  int64_t plane;   // values from one point to the next
};

template <typename T>
struct OutputTiles {
  const float* products;  // [points][count][padded channels]
  int64_t padded;
  int64_t plane;
  TileGrid grid;
  int64_t channels;  // of the maps
  int64_t first;
  int64_t count;
  int64_t first_channel;  // of the maps, and of products
  int64_t channel_count;  // written
  const float* bias;      // of first_channel; padded
  const T* residual;      // maps like `maps`, added before ReLU; may be null
  bool relu;
  T* maps;
};

}  // namespace cellroute::ops::cpu
