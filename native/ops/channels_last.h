#pragma once

#include <torch/torch.h>

namespace cellroute::ops {

/** Maps [N, C, H, W] with a pixel's channels beside each other; themselves, where they are so. */
inline torch::Tensor channels_last(const torch::Tensor& maps) {
  return maps.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace cellroute::ops
