#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "mask/rle.h"

namespace cellroute::measure {

/** What is measured of the shape of a mask, in pixels. The definitions are those of scikit-image's
 *  regionprops; x and y are coordinates of pixel centres, which are integers. */
enum Quantity : uint8_t {
  kArea,
  kPerimeter,
  kCentroidX,
  kCentroidY,
  kLeft,  // of the smallest box around the pixels
  kTop,
  kRight,   // exclusive
  kBottom,  // exclusive
  kMajorAxis,
  kMinorAxis,
  kEccentricity,
  kOrientation,  // radians from the y axis to the major axis, -pi/2 to pi/2
  kConvexArea,
  kSolidity,
  kFeretMax,
  kFeretMin,
  kCircularity,    // 4 pi area / perimeter^2; NaN for a perimeter of 0
  kTouchesBorder,  // 1 if a pixel lies at the border of the image
  kQuantities,
};

/** Names of the quantities in lib/native/contract.ts. */
inline constexpr std::array<std::string_view, kQuantities> kQuantityNames = {
    "area",       "perimeter", "centroidX", "centroidY", "left",         "top",
    "right",      "bottom",    "majorAxis", "minorAxis", "eccentricity", "orientation",
    "convexArea", "solidity",  "feretMax",  "feretMin",  "circularity",  "touchesBorder"};

/** Called by one thread at a time with the fraction done; may throw to end the work. */
using Progress = std::function<void(double)>;

/** One array per quantity, with a value per mask. A mask without pixels has the area 0 and NaN for
 *  everything that has no value there. */
using Shapes = std::array<std::vector<double>, kQuantities>;

Shapes measure_shapes(std::span<const mask::RleView> masks, uint64_t threads,
                      const Progress& progress);

}  // namespace cellroute::measure
