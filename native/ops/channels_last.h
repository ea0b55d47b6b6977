#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** Returns maps [N, C, H, W] in channels-last layout; the same tensor if it already has that
 *  layout. */
inline torch::Tensor channels_last(const torch::Tensor& maps) {
  return maps.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace cellroute::ops
