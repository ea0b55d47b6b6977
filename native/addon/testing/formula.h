#pragma once

#include <string>
#include <vector>

#include "nn.h"

namespace cellroute::testing {

/** The goldens' weight formula: number i of a key is the top 24 bits of splitmix64, in 0..1. */
std::vector<float> formula_uniform(const std::string& key, int64_t count);

/** Overwrites every parameter and buffer with the formula's values for its key. */
void fill_with_formula(torch::nn::Module& network);

}  // namespace cellroute::testing
