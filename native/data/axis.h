#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cellroute::data {

/** One axis of a sample: the position of its pixels along an axis of the image. Positions are in
 *  image pixels; pixel p covers p to p + 1. */
struct Side {
  int64_t size = 0;   // pixels of the sample
  double origin = 0;  // start of its first pixel
  double step = 1;    // width of each pixel; negative runs backwards
  double first = 0;   // visible part of the image, first to end (exclusive)
  double end = 0;
};

/** The half-open range begin..end. */
struct Span {
  int64_t begin = 0;
  int64_t end = 0;

  bool empty() const { return begin >= end; }
};

/** The image pixels that contribute to one pixel of the sample, starting at `first`, one per
 *  weight. The weights sum to 1. */
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

/** An axis of a sample over an image axis of `length` pixels. */
class Axis {
 public:
  /** Throws INVALID_ARGUMENT for a side that is not valid. */
  Axis(const Side& side, int64_t length);

  /** Pixels of the sample, visible or not. */
  int64_t size() const { return side_.size; }
  bool backwards() const { return side_.step < 0; }

  /** Pixels of the sample whose centre lies in the image; the others are filled. */
  Span inside() const { return inside_; }
  /** Image pixels whose centre lies in the sample. */
  Span source() const { return source_; }

  /** Pixels of the sample whose centre lies in the image pixels begin..end. */
  Span over(int64_t begin, int64_t end) const {
    const auto before = static_cast<int64_t>(before_[static_cast<size_t>(begin)]);
    const auto until = static_cast<int64_t>(before_[static_cast<size_t>(end)]);
    return backwards() ? Span{inside_.end - until, inside_.end - before}
                       : Span{inside_.begin + before, inside_.begin + until};
  }

  /** A triangle around the centre of a visible pixel, as wide as the pixel where the image is
   *  reduced: Pillow's antialiased bilinear filter. Beyond a crop's edge it still reads the
   *  image, so that a crop equals the same part of the whole image resized by the same factor. */
  Taps taps(int64_t index) const;

 private:
  double centre(int64_t index) const {
    return side_.origin + (static_cast<double>(index) + 0.5) * side_.step;
  }

  Side side_;
  int64_t length_;
  Span inside_;
  Span source_;
  /** Number of visible pixels whose centre lies before this image pixel. */
  std::vector<uint32_t> before_;
};

}  // namespace cellroute::data
