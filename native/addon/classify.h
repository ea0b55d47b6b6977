#pragma once

#include <napi.h>
#include <torch/types.h>

namespace cellroute::addon {

/** Copies a prepared network input, [1, 3, height, width]. */
torch::Tensor read_input(const Napi::Value& data, const Napi::Value& height,
                         const Napi::Value& width);

}  // namespace cellroute::addon
