#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cellroute::data {

/** One side of a sample: where its pixels lie along a side of the image. Places are in the
 *  image's pixels, of which pixel p reaches from p to p + 1. */
struct Side {
  int64_t size = 0;   // pixels of the sample
  double origin = 0;  // where its first pixel begins
  double step = 1;    // how wide each is; negative runs backwards
  double first = 0;   // what is seen of the image, from first to below end
  double end = 0;
};

/** From begin to below end. */
struct Span {
  int64_t begin = 0;
  int64_t end = 0;

  bool empty() const { return begin >= end; }
};

/** The image's pixels behind one pixel of the sample: from `first` on, one a weight; weights sum
 *  to 1. */
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

/** A side of a sample over a side of an image that is `length` pixels long. */
class Axis {
 public:
  /** Throws INVALID_ARGUMENT for a side that no plan has. */
  Axis(const Side& side, int64_t length);

  /** Pixels of the sample, seen or not. */
  int64_t size() const { return side_.size; }
  bool backwards() const { return side_.step < 0; }

  /** Pixels of the sample whose centre sees the image; past them is filling. */
  Span seen() const { return seen_; }
  /** Pixels of the image whose centre the sample sees. */
  Span shown() const { return shown_; }

  /** Pixels of the sample whose centre lies in the image's pixels begin..end. */
  Span over(int64_t begin, int64_t end) const {
    const auto before = static_cast<int64_t>(before_[static_cast<size_t>(begin)]);
    const auto until = static_cast<int64_t>(before_[static_cast<size_t>(end)]);
    return backwards() ? Span{seen_.end - until, seen_.end - before}
                       : Span{seen_.begin + before, seen_.begin + until};
  }

  /** A triangle around the centre of a seen pixel, as wide as the pixel where the image shrinks:
   *  Pillow's antialiased bilinear filter. Past a crop's edge it still takes the image's pixels,
   *  so that a part is what would be cut out of the whole image scaled alike. */
  Taps taps(int64_t index) const;

 private:
  double centre(int64_t index) const {
    return side_.origin + (static_cast<double>(index) + 0.5) * side_.step;
  }

  Side side_;
  int64_t length_;
  Span seen_;
  Span shown_;
  /** How many seen pixels have their centre in the image's pixels before this one. */
  std::vector<uint32_t> before_;
};

}  // namespace cellroute::data
