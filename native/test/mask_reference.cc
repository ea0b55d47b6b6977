#include "test/mask_reference.h"

namespace cellroute::mask {

uint32_t Dense::area() const {
  uint32_t sum = 0;
  for (const auto pixel : pixels) sum += pixel != 0;
  return sum;
}

Dense dense(const RleView& mask) {
  Dense result(mask.height, mask.width);
  uint64_t position = 0;
  bool inside = false;
  for (const uint32_t count : mask.counts) {
    for (uint32_t i = 0; i < count; ++i, ++position) {
      result.at(static_cast<int64_t>(position % mask.height),
                static_cast<int64_t>(position / mask.height)) = inside;
    }
    inside = !inside;
  }
  return result;
}

Rle counts_by_pixel(const Dense& mask) {
  Rle rle{mask.height, mask.width, {0}};
  bool inside = false;
  for (uint32_t x = 0; x < mask.width; ++x) {
    for (uint32_t y = 0; y < mask.height; ++y) {
      if ((mask.at(y, x) != 0) != inside) {
        inside = !inside;
        rle.counts.push_back(0);
      }
      ++rle.counts.back();
    }
  }
  return rle;
}

std::string kaggle_by_pixel(const Dense& mask) {
  std::string text;
  for (size_t i = 0; i < mask.pixels.size();) {
    if (!mask.pixels[i]) {
      ++i;
      continue;
    }
    size_t length = 1;
    while (i + length < mask.pixels.size() && mask.pixels[i + length]) ++length;
    if (!text.empty()) text += ' ';
    text += std::to_string(i + 1) + ' ' + std::to_string(length);
    i += length;
  }
  return text;
}

std::vector<Dense> many_masks(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Dense> masks;
  const std::pair<uint32_t, uint32_t> sizes[] = {{1, 1},   {1, 7},   {9, 1},   {2, 2},
                                                 {5, 3},   {8, 8},   {13, 64}, {64, 13},
                                                 {63, 65}, {1, 300}, {300, 1}, {40, 129}};
  for (const auto& [height, width] : sizes) {
    masks.emplace_back(height, width);
    Dense full(height, width);
    for (auto& pixel : full.pixels) pixel = 1;
    masks.push_back(full);
    for (const double density : {0.02, 0.3, 0.5, 0.95}) {
      Dense noise(height, width);
      std::bernoulli_distribution draw(density);
      for (auto& pixel : noise.pixels) pixel = draw(random);
      masks.push_back(noise);
    }
    Dense rows(height, width), columns(height, width);
    for (uint32_t y = 0; y < height; ++y) {
      for (uint32_t x = 0; x < width; ++x) {
        rows.at(y, x) = y / 2 % 2;
        columns.at(y, x) = x / 3 % 2 == 0;
      }
    }
    masks.push_back(rows);
    masks.push_back(columns);
    for (auto& cell : random_cells(random(), height, width, 3)) masks.push_back(std::move(cell));
  }
  return masks;
}

std::vector<Dense> random_cells(uint32_t seed, uint32_t height, uint32_t width, int count) {
  std::mt19937 random(seed);
  std::vector<Dense> cells;
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < count; ++i) {
    const double cy = unit(random) * height, cx = unit(random) * width;
    const double ry = 1 + unit(random) * height / 4, rx = 1 + unit(random) * width / 4;
    Dense cell(height, width);
    for (uint32_t y = 0; y < height; ++y) {
      for (uint32_t x = 0; x < width; ++x) {
        const double dy = (y - cy) / ry, dx = (x - cx) / rx;
        cell.at(y, x) = dy * dy + dx * dx <= 1;
      }
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

}  // namespace cellroute::mask
