#pragma once

#include <ATen/core/Tensor.h>

namespace cellroute::ops {

/** Returns maps [N, C, H, W] in channels-last layout; the same tensor if it already has that
 *  layout. */
inline at::Tensor channels_last(const at::Tensor& maps) {
  return maps.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace cellroute::ops
