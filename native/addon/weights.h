#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "io/weights.h"

namespace cellroute::addon {

/** A file, and the tensors to read from it with their names in the network. */
struct WeightsRequest {
  std::string path;
  std::vector<io::TensorEntry> entries;
};

/** Reads a NativeWeights of the contract. */
WeightsRequest read_weights(const Napi::Value& value);

/** Converts to a LoadReport of the contract. */
Napi::Value report_to_js(Napi::Env env, const io::LoadReport& report);

/** Converts to NativeTensorInfos of the contract. */
Napi::Value infos_to_js(Napi::Env env, const io::NamedTensors& tensors);

}  // namespace cellroute::addon
