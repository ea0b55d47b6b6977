#pragma once

#include <array>
#include <cstdint>

namespace cellroute::test {

/** A 1x1 convolution. */
struct PointwiseCase {
  int64_t images, in_channels, height, width, out_channels, stride;
};

// One pixel, fewer and more pixels than a block, channels that do not fill a vector, more than a
// group and more than one quantised slice, odd sizes with a stride.
inline constexpr std::array<PointwiseCase, 11> kPointwiseCases{{
    {1, 1, 1, 1, 1, 1},
    {1, 2, 1, 1, 1, 1},
    {1, 16, 8, 12, 16, 1},
    {2, 3, 5, 7, 70, 1},
    {1, 70, 21, 13, 15, 1},
    {1, 70, 21, 33, 15, 1},
    {3, 20, 7, 9, 130, 2},
    {1, 64, 1, 30, 64, 3},
    {1, 512, 10, 20, 256, 1},
    {1, 2100, 3, 5, 40, 1},
    {1, 4200, 2, 7, 20, 2},
}};

}  // namespace cellroute::test
