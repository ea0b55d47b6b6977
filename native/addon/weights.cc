#include "addon/weights.h"

#include <unordered_map>

#include "addon/arrays.h"
#include "addon/read.h"
#include "error.h"
#include "model/keys.h"

namespace cellroute::addon {

namespace {

torch::ScalarType read_dtype(const std::string& name) {
  static const std::unordered_map<std::string, torch::ScalarType> types{
      {"F64", torch::kFloat64},   {"F32", torch::kFloat32}, {"F16", torch::kFloat16},
      {"BF16", torch::kBFloat16}, {"I64", torch::kInt64},   {"I32", torch::kInt32},
      {"I16", torch::kInt16},     {"I8", torch::kInt8},     {"U8", torch::kUInt8},
      {"BOOL", torch::kBool}};
  const auto found = types.find(name);
  if (found == types.end()) throw Error("WEIGHTS_FORMAT", "Unknown tensor type " + name);
  return found->second;
}

const char* dtype_name(torch::ScalarType dtype) {
  if (dtype == torch::kFloat32) return "F32";
  if (dtype == torch::kInt64) return "I64";
  throw Error("NATIVE_FAILURE", "A network may only have float32 and int64 tensors");
}

}  // namespace

WeightsRequest read_weights(const Napi::Value& value) {
  const Fields weights(value, "weights");
  const auto prefix = weights.has("prefix") ? weights.text("prefix") : "";
  const auto rename = weights.text("keys") == "fastai" ? model::fastai_key : model::modern_key;
  WeightsRequest request{.path = weights.text("path"), .entries = {}};
  for (const auto& entry : weights.objects("tensors")) {
    request.entries.push_back({.name = prefix + rename(entry.text("name")),
                               .dtype = read_dtype(entry.text("dtype")),
                               .shape = entry.integers("shape"),
                               .strides = entry.integers("strides"),
                               .offset = static_cast<uint64_t>(entry.integer("offset")),
                               .storage_end = static_cast<uint64_t>(entry.integer("storageEnd"))});
  }
  return request;
}

Napi::Value report_to_js(Napi::Env env, const io::LoadReport& report) {
  auto result = Napi::Object::New(env);
  result.Set("loaded", to_js(env, report.loaded));
  result.Set("missing", to_js(env, report.missing));
  result.Set("unexpected", to_js(env, report.unexpected));
  result.Set("mismatched", to_js(env, report.mismatched));
  return result;
}

Napi::Value infos_to_js(Napi::Env env, const io::NamedTensors& tensors) {
  auto result = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    auto entry = Napi::Object::New(env);
    entry.Set("name", Napi::String::New(env, tensors[i].first));
    entry.Set("dtype", Napi::String::New(env, dtype_name(tensors[i].second.scalar_type())));
    entry.Set("shape", to_js(env, tensors[i].second.sizes()));
    result.Set(static_cast<uint32_t>(i), entry);
  }
  return result;
}

}  // namespace cellroute::addon
