#pragma once

#include <utility>

#include "ops/cpu/pointwise/row_products.h"
#include "ops/cpu/vec.h"

// Code shared by float and integer products: `P` is RowProducts or IntegerProducts.
namespace cellroute::ops::cpu {
namespace {

// As many sums as fit 16 registers beside two vectors of weights and one broadcast value.
constexpr int64_t kPanel = int64_t{2} * kLanes;

inline void fetch(const float* from) { __builtin_prefetch(from); }

/** Prefetches the memory to read and write after the products. */
template <typename P, int64_t... R>
inline void prefetch_outputs(const P& p, int64_t row, int64_t column,
                             std::integer_sequence<int64_t, R...> /*rows*/) {
  if (p.residual != nullptr) {
    (fetch(p.residual[row + R] + column), ...);
  } else {
    (fetch(p.out + (row + R) * p.stride + column), ...);
  }
}

/** The results of a group after the remaining operations, where fewer rows or columns may exist
 *  than were multiplied. value_of(row, column, sums) gives a vector of them as floats. */
template <typename P, typename Sums, typename F>
inline void write_group(const P& p, int64_t row, int64_t column,
                        const Sums (&sums)[kRowsPerStep][2], F&& value_of) {
  for (int64_t r = 0; r < kRowsPerStep && row + r < p.count; ++r) {
    for (int64_t v = 0; v < 2 && column + v * kLanes < p.columns; ++v) {
      const int64_t at = column + v * kLanes, left = p.columns - at;
      Vec value = value_of(row + r, at, sums[r][v]);
      if (p.bias != nullptr) value += load(p.bias + at);
      write(p.out + (row + r) * p.stride + at, left < kLanes ? left : kLanes, value,
            p.residual == nullptr ? nullptr : p.residual[row + r] + at, p.relu);
    }
  }
}

/** Calls multiply(row, column) for each group of rows and panel. A panel of weights stays in the
 *  L1 cache while all rows use it. */
template <typename P, typename F>
inline void for_each_group(const P& p, F&& multiply) {
  for (int64_t column = 0; column < p.columns; column += kPanel) {
    for (int64_t row = 0; row < p.count; row += kRowsPerStep) multiply(row, column);
  }
}

using GroupRows = std::make_integer_sequence<int64_t, kRowsPerStep>;

}  // namespace
}  // namespace cellroute::ops::cpu
