#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "mask/rle.h"

namespace cellroute::ops {

/** Builds COCO counts from runs of pixels in column order. */
class RunWriter {
 public:
  RunWriter(uint32_t height, uint32_t width) : height_(height), width_(width) {}

  /** Pixels begin..end of the image read column by column. */
  void add(uint64_t begin, uint64_t end) {
    if (begin == position_ && !counts_.empty()) {
      counts_.back() += static_cast<uint32_t>(end - begin);
    } else {
      counts_.push_back(static_cast<uint32_t>(begin - position_));
      counts_.push_back(static_cast<uint32_t>(end - begin));
    }
    position_ = end;
  }

  mask::Rle finish() && {
    const uint64_t pixels = static_cast<uint64_t>(height_) * width_;
    if (position_ < pixels) counts_.push_back(static_cast<uint32_t>(pixels - position_));
    counts_.shrink_to_fit();
    return {.height = height_, .width = width_, .counts = std::move(counts_)};
  }

 private:
  uint32_t height_;
  uint32_t width_;
  uint64_t position_ = 0;
  std::vector<uint32_t> counts_;
};

}  // namespace cellroute::ops
