#pragma once

#include <torch/types.h>

#include <vector>

namespace cellroute::train {

// torch.nn.utils.clip_grad_norm_ in two functions. Parameters without a gradient are ignored.

/** The Euclidean norm of all gradients, computed as the norm of the norms. Not finite if a
 *  gradient is not finite or too large to be squared. */
double gradient_norm(const std::vector<torch::Tensor>& parameters);

/** Scales the gradients so that their norm `norm` becomes `max_norm`; does nothing if it is
 *  smaller. */
void clip_gradients(const std::vector<torch::Tensor>& parameters, double norm, double max_norm);

}  // namespace cellroute::train
