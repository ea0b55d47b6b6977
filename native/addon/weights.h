#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "io/weights.h"

namespace cellroute::addon {

/** A file and what to read of it, by our names. */
struct WeightsRequest {
  std::string path;
  std::vector<io::TensorEntry> entries;
};

/** A NativeWeights of the contract. */
WeightsRequest read_weights(const Napi::Value& value);

/** A LoadReport of the contract. */
Napi::Value report_to_js(Napi::Env env, const io::LoadReport& report);

/** NativeTensorInfos of the contract. */
Napi::Value infos_to_js(Napi::Env env, const io::NamedTensors& tensors);

}  // namespace cellroute::addon
