#pragma once

#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "mask/contours.h"
#include "mask/rle.h"

// Slow reference implementation of native/mask: one byte per pixel.
namespace cellroute::mask {

struct Dense {
  uint32_t height;
  uint32_t width;
  std::vector<uint8_t> pixels;  // in row order

  Dense(uint32_t h, uint32_t w) : height(h), width(w), pixels(size_t{h} * w, 0) {}
  uint8_t& at(int64_t y, int64_t x) { return pixels[y * width + x]; }
  uint8_t at(int64_t y, int64_t x) const { return pixels[y * width + x]; }
  /** 0 outside the image. */
  uint8_t around(int64_t y, int64_t x) const {
    return y >= 0 && x >= 0 && y < height && x < width ? at(y, x) : 0;
  }
  uint32_t area() const;
  bool operator==(const Dense&) const = default;
};

Dense dense(const RleView& mask);
Rle counts_by_pixel(const Dense& mask);
std::string kaggle_by_pixel(const Dense& mask);

/** Ellipses, noise of several densities, stripes, empty and full masks, with odd and thin sizes and
 *  sizes around the 64 pixels that encode() processes together. */
std::vector<Dense> many_masks(uint32_t seed);

/** Masks of one size, some of which overlap. */
std::vector<Dense> random_cells(uint32_t seed, uint32_t height, uint32_t width, int count);

inline std::ostream& operator<<(std::ostream& out, const Corner& corner) {
  return out << '(' << corner.x << ',' << corner.y << ')';
}

}  // namespace cellroute::mask
