#pragma once

#include <cstdint>

namespace cellroute::ops {

/** The arguments of roi_align that are not tensors, as its kernels take them. */
struct RoiAlignParams {
  double spatial_scale;
  int64_t pooled_height;
  int64_t pooled_width;
  int64_t sampling_ratio;
  bool aligned;
};

/** The most samples a bin takes on one axis. A box needs more only where it is wider than 65,536
 *  map cells a bin; it is then sampled more thinly than ceil(roi size / pooled size). */
inline constexpr int64_t kMaxRoiAlignGrid = 65536;

}  // namespace cellroute::ops
