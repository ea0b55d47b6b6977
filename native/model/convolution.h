#pragma once

#include <memory>

#include "nn.h"

namespace cellroute::model {

/** The result of `conv` with these weights instead of its own. The only place that selects a
 *  convolution algorithm. */
torch::Tensor convolve(const torch::nn::Conv2dImpl& conv, const torch::Tensor& x,
                       const torch::Tensor& weight, const torch::Tensor& bias);

/** ReLU of the convolution. A residual with the result's shape is added first if it is defined. */
torch::Tensor convolve_and_rectify(const torch::nn::Conv2dImpl& conv, const torch::Tensor& x,
                                   const torch::Tensor& weight, const torch::Tensor& bias,
                                   const torch::Tensor& residual = {});

/** A convolution and its norm. If the norm is a fixed affine map per channel (a frozen norm, or
 *  a batch norm in evaluation mode), it is applied to the weights, which are small, instead of
 *  the maps. Gradients are the same as without this. */
torch::Tensor convolve_and_normalize(const torch::nn::Conv2dImpl& conv, torch::nn::Module& norm,
                                     const torch::Tensor& x);

/** The same, followed by an addition of the residual if it is defined, and ReLU. */
torch::Tensor convolve_normalize_and_rectify(const torch::nn::Conv2dImpl& conv,
                                             torch::nn::Module& norm, const torch::Tensor& x,
                                             const torch::Tensor& residual = {});

/** Whether a batch norm of the network takes its statistics from the batch. Its maps should not
 *  be channels-last: LibTorch sums those less exactly, and the gradients of a ResNet50 then
 *  deviate by some thousandths. Everything else is faster channels-last. */
bool has_batch_statistics(const torch::nn::Module& network);

}  // namespace cellroute::model
