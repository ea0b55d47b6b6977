#pragma once

#include <cstdint>

namespace cellroute::ops {

/** The arguments of roi_align() that are not tensors. */
struct RoiAlignParams {
  double spatial_scale;
  int64_t pooled_height;
  int64_t pooled_width;
  int64_t sampling_ratio;
  bool aligned;
};

/** The largest number of samples per bin and axis. A box needs more only if it is wider than
 *  65,536 map cells per bin; it is then sampled more sparsely than ceil(roi size / pooled size). */
inline constexpr int64_t kMaxRoiAlignGrid = 65536;

}  // namespace cellroute::ops
