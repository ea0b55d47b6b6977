#pragma once

#include <cstdint>

namespace cellroute::mask {

/** Position in an image that is walked down its columns, advanced by run lengths. */
class ColumnWalk {
 public:
  explicit ColumnWalk(uint32_t height) : height_(height) {}

  void skip(uint64_t pixels) {
    row_ += pixels;
    if (row_ < height_) return;
    // Most runs end in the same or the next column, so a division is rarely needed.
    row_ -= height_;
    ++column_;
    if (row_ < height_) return;
    column_ += static_cast<uint32_t>(row_ / height_);
    row_ %= height_;
  }

  uint32_t column() const { return column_; }
  uint32_t row() const { return static_cast<uint32_t>(row_); }

 private:
  uint32_t height_;
  uint32_t column_ = 0;
  uint64_t row_ = 0;
};

}  // namespace cellroute::mask
