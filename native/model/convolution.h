#pragma once

#include <torch/torch.h>

#include <memory>

namespace cellroute::model {

/** What `conv` computes with these weights in the place of its own. The one place that chooses an
 *  algorithm. */
torch::Tensor convolve(const torch::nn::Conv2dImpl& conv, const torch::Tensor& x,
                       const torch::Tensor& weight, const torch::Tensor& bias);

/** ReLU of the convolution, to which a residual of the result's shape is added first where it is
 *  defined. */
torch::Tensor convolve_and_rectify(const torch::nn::Conv2dImpl& conv, const torch::Tensor& x,
                                   const torch::Tensor& weight, const torch::Tensor& bias,
                                   const torch::Tensor& residual = {});

/** A convolution and its norm. Where the norm is a fixed affine map of each channel (a frozen one,
 *  or a batch norm in evaluation mode) it goes into the weights, which are small, and not over the
 *  maps; gradients reach everything that trains as if it did not. */
torch::Tensor convolve_and_normalize(const torch::nn::Conv2dImpl& conv, torch::nn::Module& norm,
                                     const torch::Tensor& x);

/** The same, then a residual where it is defined, then ReLU. */
torch::Tensor convolve_normalize_and_rectify(const torch::nn::Conv2dImpl& conv,
                                             torch::nn::Module& norm, const torch::Tensor& x,
                                             const torch::Tensor& residual = {});

/** Whether a batch norm of the network takes its statistics from the batch. Its maps are best not
 *  channels-last: LibTorch sums them less exactly so, and the gradients of a ResNet50 are some
 *  thousandths off. Everything else is faster channels-last. */
bool has_batch_statistics(const torch::nn::Module& network);

}  // namespace cellroute::model
