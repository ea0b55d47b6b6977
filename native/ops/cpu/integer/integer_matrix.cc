#include "ops/cpu/integer/integer_matrix.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/ones.h>

#include "ops/cpu/padded_columns.h"
#include "round_up.h"

namespace cellroute::ops::cpu {

int64_t row_bytes(int64_t depth, const IntegerKernels& kernels) {
  return round_up(depth, kQuantisedDepth) * kWordBytes / kernels.values_of_word;
}

int64_t row_words(int64_t depth, const IntegerKernels& kernels) {
  return divide_up(depth, kernels.values_of_word);
}

IntegerMatrix pack_integers(const at::Tensor& weights, int64_t largest,
                            const IntegerKernels& kernels) {
  const auto bound = static_cast<double>(largest);
  const auto steps = weights.abs().amax(-1) / bound;
  // A row of zeros needs no step.
  const auto divisors = steps.where(steps > 0, at::ones({}));
  const auto integers = (weights / divisors.unsqueeze(-1)).round().clamp(-bound, bound);

  const int64_t depth = weights.size(-1),
                padding = padded_columns(weights.size(-2), kernels.panel) - weights.size(-2);
  const int64_t padded_depth = row_words(depth, kernels) * kernels.values_of_word;
  const auto filled = at::constant_pad_nd(integers, {0, padded_depth - depth, 0, padding});
  return {.words = filled.unflatten(-1, {-1, kernels.values_of_word})
                       .unflatten(-3, {-1, kernels.panel})
                       .transpose(-3, -2)
                       .to(kernels.values_of_word == 2 ? at::kShort : at::kChar)
                       .contiguous(),
          .steps = at::constant_pad_nd(steps, {0, padding}).contiguous(),
          .sums = at::constant_pad_nd(integers.sum(-1) * steps, {0, padding}).contiguous()};
}

}  // namespace cellroute::ops::cpu
