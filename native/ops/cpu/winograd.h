#pragma once

#include <torch/torch.h>

#include <vector>

#include "ops/cpu/winograd_tiles.h"
#include "ops/winograd_conv.h"

namespace cellroute::ops::cpu {

/** weight [K, C, 3, 3] float32 as winograd_conv reads it. */
torch::Tensor pack_winograd_weight(const torch::Tensor& weight, torch::ScalarType products);

/** The transforms this processor can run, the best first; none where it has no bfloat16. */
template <typename T>
std::vector<const TileTransforms<T>*> tile_transforms();

/** input and residual are channels-last, bias is float32 [K], all of them checked. */
torch::Tensor winograd_conv(const torch::Tensor& input, const WinogradWeights& weights,
                            const torch::Tensor& bias, const torch::Tensor& residual, bool relu);

/** The same by transforms that may not be the best. */
template <typename T>
torch::Tensor winograd_conv_by(const TileTransforms<T>& transforms, const torch::Tensor& input,
                               const WinogradWeights& weights, const torch::Tensor& bias,
                               const torch::Tensor& residual, bool relu);

}  // namespace cellroute::ops::cpu
