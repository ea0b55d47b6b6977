#include "addon/testing/tensor.h"

#include <cstring>
#include <vector>

namespace cellroute::testing {

torch::Tensor to_tensor(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  const auto array = object.Get("data").As<Napi::TypedArray>();
  const auto sizes = object.Get("shape").As<Napi::Array>();
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < sizes.Length(); ++i) {
    shape.push_back(sizes.Get(i).As<Napi::Number>().Int64Value());
  }
  torch::ScalarType dtype;
  switch (array.TypedArrayType()) {
    case napi_float32_array:
      dtype = torch::kFloat32;
      break;
    case napi_float64_array:
      dtype = torch::kFloat64;
      break;
    case napi_bigint64_array:
      dtype = torch::kInt64;
      break;
    case napi_uint8_array:
      dtype = torch::kUInt8;
      break;
    default:
      throw Napi::TypeError::New(value.Env(), "unsupported typed array");
  }
  auto tensor = torch::empty(shape, dtype);
  if (static_cast<size_t>(tensor.nbytes()) != array.ByteLength()) {
    throw Napi::TypeError::New(value.Env(), "shape and data differ in size");
  }
  const auto* bytes = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  if (array.ByteLength() > 0) std::memcpy(tensor.data_ptr(), bytes, array.ByteLength());
  return tensor;
}

Napi::Object from_tensor(Napi::Env env, const torch::Tensor& tensor) {
  auto plain = tensor.detach().cpu();
  if (plain.scalar_type() != torch::kFloat64 && plain.scalar_type() != torch::kUInt8) {
    plain = plain.to(plain.is_floating_point() ? torch::kFloat32 : torch::kInt64);
  }
  plain = plain.contiguous();
  const auto size = static_cast<size_t>(plain.nbytes());
  auto buffer = Napi::ArrayBuffer::New(env, size);
  if (size > 0) std::memcpy(buffer.Data(), plain.data_ptr(), size);
  const auto count = static_cast<size_t>(plain.numel());
  auto result = Napi::Object::New(env);
  switch (plain.scalar_type()) {
    case torch::kFloat32:
      result.Set("data", Napi::Float32Array::New(env, count, buffer, 0));
      break;
    case torch::kFloat64:
      result.Set("data", Napi::Float64Array::New(env, count, buffer, 0));
      break;
    case torch::kUInt8:
      result.Set("data", Napi::Uint8Array::New(env, count, buffer, 0));
      break;
    default:
      result.Set("data", Napi::BigInt64Array::New(env, count, buffer, 0));
  }
  auto shape = Napi::Array::New(env, static_cast<size_t>(plain.dim()));
  for (int64_t i = 0; i < plain.dim(); ++i) {
    shape.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(plain.size(i))));
  }
  result.Set("shape", shape);
  return result;
}

}  // namespace cellroute::testing
