#pragma once

#include <torch/torch.h>

#include <vector>

namespace cellroute::train {

// torch.nn.utils.clip_grad_norm_ in its two halves. Parameters without a gradient do not count.

/** The Euclidean norm of all gradients together: of each tensor's, and then of these norms. Not
 *  finite where a gradient is not, or is too large to be squared. */
double gradient_norm(const std::vector<torch::Tensor>& parameters);

/** Scales the gradients down so that their norm, which is `norm`, becomes `max_norm`; leaves them
 *  where it is smaller. */
void clip_gradients(const std::vector<torch::Tensor>& parameters, double norm, double max_norm);

}  // namespace cellroute::train
