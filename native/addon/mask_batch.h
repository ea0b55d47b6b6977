#pragma once

#include <napi.h>

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "error.h"
#include "mask/mask_set.h"
#include "mask/rle.h"

namespace cellroute::addon {

/** A checked MaskBatch from JavaScript. It is valid during the call that received it. */
struct MaskBatch {
  uint32_t height;
  uint32_t width;
  std::vector<mask::RleView> masks;
};

/** Throws INVALID_ARGUMENT for an invalid batch, RLE_MALFORMED for invalid masks. */
MaskBatch read_batch(const Napi::Value& value);

/** As read_batch, copied, for a job, which owns its data. */
std::vector<mask::Rle> copy_batch(const Napi::Value& value);

/** The same in two arrays. The masks are not checked: the job does that, off the JS thread. */
mask::MaskSet copy_mask_set(const Napi::Value& value);

/** Pieces offsets[i] to offsets[i + 1] of the values, whatever they hold. */
template <typename T>
std::vector<std::span<const T>> split(std::span<const T> values,
                                      std::span<const uint32_t> offsets) {
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != values.size()) {
    throw Error("INVALID_ARGUMENT", "Offsets must start with 0 and end with the number of values");
  }
  std::vector<std::span<const T>> pieces;
  pieces.reserve(offsets.size() - 1);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    if (offsets[i + 1] < offsets[i] || offsets[i + 1] > values.size()) {
      throw Error("INVALID_ARGUMENT", "Offsets must be ascending", i + 1);
    }
    pieces.push_back(values.subspan(offsets[i], offsets[i + 1] - offsets[i]));
  }
  return pieces;
}

struct Size {
  uint32_t height;
  uint32_t width;
};

/** Reads height and width from a call's arguments: at least 1 each, at most 2^32 - 1 pixels. */
Size read_size(const Napi::Value& height, const Napi::Value& width);

template <typename T>
inline constexpr napi_typedarray_type kArrayType = [] {
  static_assert(std::is_arithmetic_v<T>);
  if constexpr (std::is_same_v<T, uint8_t>) return napi_uint8_array;
  if constexpr (std::is_same_v<T, uint16_t>) return napi_uint16_array;
  if constexpr (std::is_same_v<T, uint32_t>) return napi_uint32_array;
  if constexpr (std::is_same_v<T, int32_t>) return napi_int32_array;
  if constexpr (std::is_same_v<T, float>) return napi_float32_array;
  if constexpr (std::is_same_v<T, double>) return napi_float64_array;
}();

template <typename T>
bool is_array_of(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == kArrayType<T>;
}

/** Memory of a typed array of exactly this type; `name` is used in the error. */
template <typename T>
std::span<T> typed_array(const Napi::Value& value, const char* name) {
  if (!is_array_of<T>(value)) {
    throw Error("INVALID_ARGUMENT", std::string(name) + " is not a typed array of the right type");
  }
  auto array = value.As<Napi::TypedArrayOf<T>>();
  return {array.Data(), array.ElementLength()};
}

}  // namespace cellroute::addon
