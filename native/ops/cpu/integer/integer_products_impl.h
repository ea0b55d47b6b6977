#pragma once

#include <immintrin.h>

#include <cfloat>
#include <utility>

#include "ops/cpu/kernels.h"
#include "ops/cpu/panel_products_impl.h"
#include "ops/cpu/vec.h"

namespace cellroute::ops::cpu {
namespace {

typedef int32_t Ints __attribute__((vector_size(kLanes * sizeof(int32_t))));

/** Words of two 16-bit integers. AVX2 has no suitable byte product: its own adds two of them in
 *  16 bits, which saturate. */
struct Pairs {
  static constexpr int64_t kValues = 2;

#ifdef __AVX512VNNI__
  static Ints add_products(Ints sums, Ints values, Ints weights) {
    return Ints(_mm512_dpwssd_epi32(__m512i(sums), __m512i(values), __m512i(weights)));
  }

  static void store(std::byte* to, Vec integers) {
    const __m256i halves = _mm512_maskz_cvtsepi32_epi16(kAll, rounded(integers));
    __builtin_memcpy(to, &halves, sizeof(halves));
  }
#else
  static Ints add_products(Ints sums, Ints values, Ints weights) {
    // Sums of rows that are not finite may wrap: they are not used. Signed overflow must be
    // avoided.
    return Ints(
        _mm256_add_epi32(__m256i(sums), _mm256_madd_epi16(__m256i(values), __m256i(weights))));
  }

  static void store(std::byte* to, Vec integers) {
    const __m256i words = _mm256_cvtps_epi32(integers);
    const __m128i halves =
        _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    __builtin_memcpy(to, &halves, sizeof(halves));
  }
#endif

#ifdef __AVX512VNNI__
  // With all lanes set: GCC 12 reports an uninitialised read for the unmasked forms.
  static constexpr __mmask16 kAll = 0xFFFF;

  static __m512i rounded(Vec integers) { return _mm512_maskz_cvtps_epi32(kAll, __m512(integers)); }
#endif
};

#ifdef __AVX512VNNI__
/** Words of four bytes: unsigned for rows, signed for weights. */
struct Quads {
  static constexpr int64_t kValues = 4;

  static Ints add_products(Ints sums, Ints values, Ints weights) {
    return Ints(_mm512_dpbusd_epi32(__m512i(sums), __m512i(values), __m512i(weights)));
  }

  static void store(std::byte* to, Vec integers) {
    const __m128i bytes = _mm512_maskz_cvtusepi32_epi8(Pairs::kAll, Pairs::rounded(integers));
    __builtin_memcpy(to, &bytes, sizeof(bytes));
  }
};
#endif

inline Ints load_words(const std::byte* from) {
  Ints value;
  __builtin_memcpy(&value, from, sizeof(value));
  return value;
}

/** Loads a word into each lane. */
inline Ints spread(const std::byte* from) {
  int32_t word;
  __builtin_memcpy(&word, from, sizeof(word));
  return word - Ints{};
}

/** The values of a row; lanes after the last value repeat the first. */
inline Vec values_at(const QuantisedRow& row, int64_t k) {
  if (row.depth - k >= kLanes) return load(row.values + k);
  float rest[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) rest[i] = row.values[k + i < row.depth ? k + i : 0];
  return load(rest);
}

struct Range {
  float low, high;
  bool finite;
};

inline Range range_of(const QuantisedRow& row) {
  Vec low = values_at(row, 0), high = low;
  Ints not_a_number = low != low;  // a NaN compares as false
  for (int64_t k = kLanes; k < row.depth; k += kLanes) {
    const Vec values = values_at(row, k);
    low = values < low ? values : low;
    high = values > high ? values : high;
    not_a_number |= values != values;
  }
  float lowest = low[0], highest = high[0];
  int32_t any = not_a_number[0];
  for (int i = 1; i < kLanes; ++i) {
    lowest = low[i] < lowest ? low[i] : lowest;
    highest = high[i] > highest ? high[i] : highest;
    any |= not_a_number[i];
  }
  return {lowest, highest, any == 0 && highest - lowest <= FLT_MAX};
}

template <typename Word>
inline void quantise_row(const QuantisedRow& row) {
  const Range range = range_of(row);
  float step = (range.high - range.low) / row.levels.levels;
  if (step < FLT_MIN) step = 0;  // too small to divide by: all values become the lowest integer
  if (range.finite) {
    *row.scale = {range.low - row.levels.lowest * step, step};
  } else {
    // The result does not depend on the integers.
    const float nan = __builtin_nanf("");
    *row.scale = {nan, nan};
  }
  const Vec low = range.low - Vec{}, lowest = row.levels.lowest - Vec{};
  const Vec factor = (step > 0 ? 1 / step : 0) - Vec{};
  for (int64_t k = 0; k < row.depth; k += kLanes) {
    Word::store(row.words + k * kWordBytes / Word::kValues,
                (values_at(row, k) - low) * factor + lowest);
  }
}

// An index sequence unrolls the rows: the compiler does not keep arrays in registers inside loops.
template <typename Word, int64_t... R>
struct IntegerGroup {
  static constexpr int64_t kRows = sizeof...(R);

  const IntegerProducts& p;
  int64_t row;
  int64_t column;
  Ints first[kRows];
  Ints second[kRows];

  void multiply() {
    const std::byte* rows = p.rows + row * p.row_bytes;
    const std::byte* weights = p.weights + column * p.words * kWordBytes;
    for (int64_t k = 0; k < p.words; ++k, weights += kPanel * kWordBytes) {
      const Ints left = load_words(weights), right = load_words(weights + sizeof(Ints));
      (add(first[R], second[R], spread(rows + R * p.row_bytes + k * kWordBytes), left, right), ...);
    }
  }

  static void add(Ints& one, Ints& other, Ints values, Ints left, Ints right) {
    one = Word::add_products(one, values, left);
    other = Word::add_products(other, values, right);
  }

  /** Partial groups: stores only the rows and columns that exist. */
  void write() const {
    const Ints sums[kRows][2] = {{first[R], second[R]}...};
    write_group(p, row, column, sums, [&](int64_t r, int64_t at, Ints sum) {
      const RowScale scale = p.row_scales[r];
      return __builtin_convertvector(sum, Vec) * (load(p.steps + at) * scale.step) +
             load(p.sums + at) * scale.zero;
    });
  }
};

template <typename Word, int64_t... R>
inline void multiply_integer_group(const IntegerProducts& p, int64_t row, int64_t column,
                                   std::integer_sequence<int64_t, R...> rows) {
  IntegerGroup<Word, R...> group{.p = p, .row = row, .column = column, .first = {}, .second = {}};
  if (row + group.kRows <= p.count) prefetch_outputs(p, row, column, rows);
  group.multiply();
  group.write();
}

template <typename Word>
inline void multiply_integers(const IntegerProducts& p) {
  for_each_group(p, [&](int64_t row, int64_t column) {
    multiply_integer_group<Word>(p, row, column, GroupRows{});
  });
}

template <typename Word>
constexpr IntegerKernels kIntegerKernels{quantise_row<Word>, multiply_integers<Word>, kPanel,
                                         Word::kValues};

}  // namespace
}  // namespace cellroute::ops::cpu
