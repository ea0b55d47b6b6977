#include "mask/pixels.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "error.h"

// Pixels are stored by rows, runs by columns. Both directions process 64 columns at a time with one
// bit per pixel, and use the bits in which a row differs from the row above: a run begins or ends
// there.
namespace cellroute::mask {
namespace {

static_assert(std::endian::native == std::endian::little, "eight pixels are read as one number");

constexpr uint64_t kLow = 0x0101010101010101;
constexpr uint64_t kHigh = 0x8080808080808080;

/** Bit i is set where pixel i of eight is not 0. */
uint64_t pack8(uint64_t pixels) {
  const uint64_t set = (((pixels & ~kHigh) + ~kHigh) | pixels) & kHigh;
  return (set >> 7) * 0x0102040810204080 >> 56;
}

/** The inverse: pixel i is 1 where bit i is set. */
uint64_t unpack8(uint64_t bits) {
  const uint64_t own = bits * kLow & 0x8040201008040201;
  return (own + ~kHigh) >> 7 & kLow;
}

uint64_t pack64(const uint8_t* pixels) {
  uint64_t words[8];
  std::memcpy(words, pixels, sizeof(words));
  uint64_t any = 0;
  for (const uint64_t word : words) any |= word;
  if (any == 0) return 0;
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits |= pack8(words[i]) << (8 * i);
  return bits;
}

void unpack64(uint64_t bits, uint8_t* pixels) {
  uint64_t words[8];
  for (int i = 0; i < 8; ++i) words[i] = unpack8(bits >> (8 * i) & 0xff);
  std::memcpy(pixels, words, sizeof(words));
}

/** The bits of the row, then zeros up to the end of `bits`. */
void pack_row(const uint8_t* row, uint32_t width, std::vector<uint64_t>& bits) {
  const size_t whole = width / 64;
  for (size_t i = 0; i < whole; ++i) bits[i] = pack64(row + 64 * i);
  uint8_t rest[64] = {};
  std::memcpy(rest, row + 64 * whole, width % 64);
  bits[whole] = pack64(rest);
}

/** Bits of the 64 columns from 64 * `word` on in which `row` differs from the row above. */
struct Change {
  uint32_t row;
  uint32_t word;
  uint64_t columns;
};

std::vector<Change> changes_of(std::span<const uint8_t> pixels, uint32_t height, uint32_t width) {
  // One more column after the last, for runs that reach the end of the image.
  const size_t words = size_t{width} / 64 + 1;
  std::vector<uint64_t> above(words), row(words);
  // The row above a column's first row is the last row of the previous column.
  pack_row(&pixels[size_t{height - 1} * width], width, row);
  for (size_t i = 0; i < words; ++i) above[i] = row[i] << 1 | (i > 0 ? row[i - 1] >> 63 : 0);

  std::vector<Change> changes;
  for (uint32_t y = 0; y < height; ++y) {
    pack_row(&pixels[size_t{y} * width], width, row);
    for (size_t i = 0; i < words; ++i) {
      const uint64_t columns = row[i] ^ above[i];
      if (columns != 0) changes.push_back({y, static_cast<uint32_t>(i), columns});
    }
    above.swap(row);
  }
  return changes;
}

/** Calls fn(column, row), row by row. */
template <class F>
void for_each_bound(const std::vector<Change>& changes, F&& fn) {
  for (const auto& change : changes) {
    for (uint64_t left = change.columns; left != 0; left &= left - 1) {
      fn(size_t{change.word} * 64 + std::countr_zero(left), change.row);
    }
  }
}

/** The bounds in column order, by a counting sort. */
Bounds deal(const std::vector<Change>& changes, uint32_t height, uint32_t width) {
  std::vector<uint32_t> next(size_t{width} + 2, 0);
  for_each_bound(changes, [&](size_t column, uint32_t) { ++next[column + 1]; });
  for (size_t i = 1; i < next.size(); ++i) next[i] += next[i - 1];
  Bounds bounds(next.back());
  for_each_bound(changes, [&](size_t column, uint32_t row) {
    bounds[next[column]++] = static_cast<uint32_t>(column) * height + row;
  });
  return bounds;
}

/** Bits by row and column of a mask's box: set where a row differs from the row above it; the
 *  first row is compared with background. */
class Toggles {
 public:
  explicit Toggles(const Box& box)
      : box_(box), words_((size_t{box.width} + 63) / 64), bits_(words_ * box.height, 0) {}

  size_t words() const { return words_; }
  const uint64_t* row(uint32_t index) const { return &bits_[index * words_]; }

  void run(uint32_t height, uint32_t begin, uint32_t end) {
    const uint32_t first = begin / height, last = (end - 1) / height;
    toggle(first, begin - first * height);
    if (first < last) toggle_first_row(first + 1, last + 1);
    const uint32_t foot = end - last * height;
    if (foot < box_.y + box_.height) toggle(last, foot);
  }

 private:
  void toggle(uint32_t column, uint32_t row) {
    const uint32_t x = column - box_.x;
    bits_[(row - box_.y) * words_ + x / 64] ^= uint64_t{1} << (x % 64);
  }

  void toggle_first_row(uint32_t first, uint32_t last) {
    for (uint64_t x = first - box_.x; x < last - box_.x;) {
      const uint64_t next = std::min<uint64_t>((x / 64 + 1) * 64, last - box_.x);
      bits_[x / 64] ^= ~uint64_t{0} >> (64 - (next - x)) << (x % 64);
      x = next;
    }
  }

  Box box_;
  size_t words_;
  std::vector<uint64_t> bits_;
};

void check_size(size_t pixels, uint32_t height, uint32_t width) {
  const uint32_t expected = checked_pixels(height, width);
  if (pixels == expected) return;
  throw Error("INVALID_ARGUMENT", "Expected " + std::to_string(expected) +
                                      " pixels for a mask of " + std::to_string(height) +
                                      " rows of " + std::to_string(width) + " but received " +
                                      std::to_string(pixels));
}

}  // namespace

Rle encode(std::span<const uint8_t> pixels, uint32_t height, uint32_t width) {
  check_size(pixels.size(), height, width);
  return from_bounds(height, width, deal(changes_of(pixels, height, width), height, width));
}

void decode(const RleView& mask, std::span<uint8_t> zeroed) {
  check_size(zeroed.size(), mask.height, mask.width);
  const Box box = bounding_box(mask);
  if (box.width == 0) return;
  Toggles toggles(box);
  for_each_run(mask, [&](uint32_t begin, uint32_t end) { toggles.run(mask.height, begin, end); });

  std::vector<uint64_t> bits(toggles.words(), 0);
  for (uint32_t y = 0; y < box.height; ++y) {
    uint8_t* row = &zeroed[size_t{box.y + y} * mask.width + box.x];
    const uint64_t* changed = toggles.row(y);
    for (size_t i = 0; i < bits.size(); ++i) {
      bits[i] ^= changed[i];
      if (bits[i] == 0) continue;
      uint8_t pixels[64];
      unpack64(bits[i], pixels);
      std::memcpy(row + 64 * i, pixels, std::min<size_t>(64, box.width - 64 * i));
    }
  }
}

}  // namespace cellroute::mask
