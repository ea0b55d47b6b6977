#pragma once

#include <utility>

#include "ops/cpu/row_products.h"
#include "ops/cpu/vec.h"

// What products of floats and of integers have in common: `P` is RowProducts or IntegerProducts.
namespace cellroute::ops::cpu {
namespace {

// As many sums as 16 registers hold, beside two vectors of weights and the value they meet.
constexpr int64_t kPanel = int64_t{2} * kLanes;

/** What is added and written is far away, and wanted when the products are done. */
template <typename P, int64_t... R>
inline void fetch_written(const P& p, int64_t row, int64_t column,
                          std::integer_sequence<int64_t, R...> /*rows*/) {
  if (p.residual != nullptr) {
    (__builtin_prefetch(p.residual[row + R] + column), ...);
  } else {
    (__builtin_prefetch(p.out + (row + R) * p.stride + column), ...);
  }
}

/** A vector of sums with all that follows, as far as there are columns. */
template <typename P>
inline void write_sums(const P& p, int64_t row, int64_t column, Vec value) {
  const int64_t left = p.columns - column;
  if (p.bias != nullptr) value += load(p.bias + column);
  write(p.out + row * p.stride + column, left < kLanes ? left : kLanes, value,
        p.residual == nullptr ? nullptr : p.residual[row] + column, p.relu);
}

/** Calls multiply(row, column) for each group of rows and panel. A panel of the weights stays in
 *  the first cache while all rows pass it. */
template <typename P, typename F>
inline void for_each_group(const P& p, F&& multiply) {
  for (int64_t column = 0; column < p.columns; column += kPanel) {
    for (int64_t row = 0; row < p.count; row += kRowsAtOnce) multiply(row, column);
  }
}

using GroupRows = std::make_integer_sequence<int64_t, kRowsAtOnce>;

}  // namespace
}  // namespace cellroute::ops::cpu
