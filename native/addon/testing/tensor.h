#pragma once

#include <napi.h>
#include <torch/types.h>

#include "addon/errors.h"

namespace cellroute::testing {

/** Copies {data: Float32Array | BigInt64Array | Uint8Array, shape: number[]} into a tensor. */
torch::Tensor to_tensor(const Napi::Value& value);

/** Inverse of to_tensor. Other types are cast to float32 (floating point) or int64 (integers). */
Napi::Object from_tensor(Napi::Env env, const torch::Tensor& tensor);

/** Wraps a function so that its exceptions become JS errors. */
template <auto function>
Napi::Value exported(const Napi::CallbackInfo& info) {
  return addon::guarded(info.Env(), [&] { return Napi::Value(function(info)); });
}

/** Register functions on the exports object, one call per subject. */
void register_ops(Napi::Env env, Napi::Object exports);
void register_model(Napi::Env env, Napi::Object exports);
void register_optimizer(Napi::Env env, Napi::Object exports);
void register_train(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::testing
