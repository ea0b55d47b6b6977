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

/** A MaskBatch as JavaScript gave it, checked from end to end; it stays valid while the call that
 *  received it runs. */
struct MaskBatch {
  uint32_t height;
  uint32_t width;
  std::vector<mask::RleView> masks;
};

/** Throws INVALID_ARGUMENT for what is no batch, RLE_MALFORMED for what are no masks. */
MaskBatch read_batch(const Napi::Value& value);

/** The same, copied: for a job, which owns what it uses. */
std::vector<mask::Rle> copy_batch(const Napi::Value& value);

/** The same in two arrays. The masks are not checked: the job does that, off the JS thread. */
mask::MaskSet copy_mask_set(const Napi::Value& value);

/** Pieces offsets[i] to offsets[i + 1] of the values, whatever they hold. */
template <typename T>
std::vector<std::span<const T>> split(std::span<const T> values,
                                      std::span<const uint32_t> offsets) {
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != values.size()) {
    throw Error("INVALID_ARGUMENT", "Offsets must begin with 0 and end with the number of values");
  }
  std::vector<std::span<const T>> pieces;
  pieces.reserve(offsets.size() - 1);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    if (offsets[i + 1] < offsets[i] || offsets[i + 1] > values.size()) {
      throw Error("INVALID_ARGUMENT", "Offsets must rise", i + 1);
    }
    pieces.push_back(values.subspan(offsets[i], offsets[i + 1] - offsets[i]));
  }
  return pieces;
}

struct Size {
  uint32_t height;
  uint32_t width;
};

/** height and width of a call's arguments: at least 1, and 32 bits of pixels together. */
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

/** The memory of a typed array of just that type; `name` is the argument's, for the error. */
template <typename T>
std::span<T> typed_array(const Napi::Value& value, const char* name) {
  if (!is_array_of<T>(value)) {
    throw Error("INVALID_ARGUMENT", std::string(name) + " is no typed array of the right type");
  }
  auto array = value.As<Napi::TypedArrayOf<T>>();
  return {array.Data(), array.ElementLength()};
}

}  // namespace cellroute::addon
