#pragma once

#include <napi.h>
#include <torch/types.h>

#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace cellroute::addon {

// Results are arrays in V8's memory, because Electron forbids external memory.

inline Napi::Value bytes_to_js(Napi::Env env, const void* data, size_t size) {
  auto array = Napi::Uint8Array::New(env, size);
  if (size > 0) std::memcpy(array.Data(), data, size);
  return array;
}

template <typename T>
Napi::TypedArrayOf<T> to_typed_array(Napi::Env env, const T* data, size_t count) {
  auto array = Napi::TypedArrayOf<T>::New(env, count);
  if (count > 0) std::memcpy(array.Data(), data, count * sizeof(T));
  return array;
}

template <typename T>
Napi::TypedArrayOf<T> to_typed_array(Napi::Env env, const std::vector<T>& values) {
  return to_typed_array(env, values.data(), values.size());
}

/** A contiguous tensor on the CPU with this type. */
template <typename T>
Napi::TypedArrayOf<T> to_typed_array(Napi::Env env, const torch::Tensor& tensor) {
  return to_typed_array(env, tensor.const_data_ptr<T>(), static_cast<size_t>(tensor.numel()));
}

inline Napi::Value to_js(Napi::Env env, const std::vector<std::string>& values) {
  auto array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    array.Set(static_cast<uint32_t>(i), Napi::String::New(env, values[i]));
  }
  return array;
}

inline Napi::Value to_js(Napi::Env env, torch::IntArrayRef values) {
  auto array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(values[i])));
  }
  return array;
}

}  // namespace cellroute::addon
