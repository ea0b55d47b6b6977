#pragma once

// A vector of floats as wide as the instruction set this file is compiled for. Included by the
// isa_* files and what they include, and nothing else; all of it is in an unnamed namespace and no
// header is shared, so that no function built for one processor is linked in for another.
#include <cstdint>
#include <cstring>

#include "ops/cpu/bfloat16_bits.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace cellroute::ops::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#elif defined(__GNUC__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 1;
#endif

#ifdef __GNUC__
typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
#else
using Vec = float;
#endif

inline Vec load(const float* from) {
  Vec value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

inline void store(float* to, Vec value) { std::memcpy(to, &value, sizeof(value)); }

#ifdef __AVX512BF16__
inline Vec load(const Bfloat16Bits* from) {
  typedef Bfloat16Bits Halves __attribute__((vector_size(kLanes * sizeof(Bfloat16Bits))));
  typedef uint32_t Words __attribute__((vector_size(kLanes * sizeof(uint32_t))));
  Halves bits;
  std::memcpy(&bits, from, sizeof(bits));
  return Vec(__builtin_convertvector(bits, Words) << 16);
}

inline void store(Bfloat16Bits* to, Vec value) {
  const auto bits = _mm512_cvtneps_pbh(value);
  std::memcpy(to, &bits, sizeof(bits));
}
#endif

/** NaN stays NaN. */
inline Vec relu(Vec value) { return value < 0 ? Vec{} : value; }

/** Up to kLanes values plus the residual's, which may be null, and through ReLU where asked. */
template <typename T>
inline void write(T* to, int64_t lanes, Vec value, const T* residual, bool with_relu) {
  T rest[kLanes] = {};
  if (residual != nullptr) {
    if (lanes == kLanes) {
      value += load(residual);
    } else {
      for (int64_t i = 0; i < lanes; ++i) rest[i] = residual[i];
      value += load(rest);
    }
  }
  if (with_relu) value = relu(value);
  if (lanes == kLanes) {
    store(to, value);
  } else {
    store(rest, value);
    for (int64_t i = 0; i < lanes; ++i) to[i] = rest[i];
  }
}

}  // namespace
}  // namespace cellroute::ops::cpu
