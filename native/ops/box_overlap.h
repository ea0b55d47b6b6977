#pragma once

#include "ops/host_device.h"

namespace cellroute::ops {

/** Intersection over union of two boxes with the given areas, as in torchvision's NMS; NaN for
 *  two boxes without area. Comparisons are written like std::min and std::max, whose form
 *  decides the result for NaN. */
template <typename T>
CELLROUTE_HOST_DEVICE inline T overlap(T ax1, T ay1, T ax2, T ay2, T a_area, T bx1, T by1, T bx2,
                                       T by2, T b_area) {
  const T width = (bx2 < ax2 ? bx2 : ax2) - (ax1 < bx1 ? bx1 : ax1);
  const T height = (by2 < ay2 ? by2 : ay2) - (ay1 < by1 ? by1 : ay1);
  const T intersection = (T(0) < width ? width : T(0)) * (T(0) < height ? height : T(0));
  return intersection / (a_area + b_area - intersection);
}

}  // namespace cellroute::ops
