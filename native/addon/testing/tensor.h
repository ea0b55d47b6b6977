#pragma once

#include <napi.h>
#include <torch/torch.h>

namespace cellroute::testing {

/** {data: Float32Array | BigInt64Array | Uint8Array, shape: number[]} to a tensor that owns its
 * memory. */
torch::Tensor to_tensor(const Napi::Value& value);

/** The reverse; other types are cast to float32 (floating) or int64 (integers). */
Napi::Object from_tensor(Napi::Env env, const torch::Tensor& tensor);

/** Registers functions on the exports object: one a subject. */
void register_ops(Napi::Env env, Napi::Object exports);
void register_model(Napi::Env env, Napi::Object exports);
void register_optimizer(Napi::Env env, Napi::Object exports);
void register_train(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::testing
