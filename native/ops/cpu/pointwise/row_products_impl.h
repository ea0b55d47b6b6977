#pragma once

#include <utility>

#include "ops/cpu/panel_products_impl.h"
#include "ops/cpu/pointwise/row_products.h"
#include "ops/cpu/vec.h"

namespace cellroute::ops::cpu {
namespace {

// Values per cache line.
constexpr int64_t kLine = 16;

// An index sequence unrolls the rows: the compiler does not keep arrays in registers inside loops.
template <int64_t... R>
struct RowGroup {
  static constexpr int64_t kRows = sizeof...(R);

  const RowProducts& p;
  int64_t row;
  int64_t column;
  Vec first[kRows];
  Vec second[kRows];

  void multiply() {
    const float* weights = p.weights + column * (p.first.depth + p.second.depth);
    multiply_by(weights, p.first);
    if (p.second.depth > 0) multiply_by(weights + p.first.depth * kPanel, p.second);
  }

  void multiply_by(const float* weights, const Rows& some) {
    const float* const* rows = some.rows + row;
    // Prefetches the next rows, which are not in the cache yet.
    const float* const* following = column == 0 && row + kRows < p.count ? rows + kRows : nullptr;
    for (int64_t k = 0; k < some.depth; k += kLine) {
      const int64_t from = some.offset + k, left = some.depth - k;
      if (following != nullptr) (fetch(following[R] + from), ...);
      multiply_line({(rows[R] + from)...}, weights + k * kPanel, left < kLine ? left : kLine);
    }
  }

  void multiply_line(const float* const (&from)[kRows], const float* weights, int64_t count) {
    for (int64_t k = 0; k < count; ++k, weights += kPanel) {
      const Vec left = load(weights), right = load(weights + kLanes);
      ((first[R] += from[R][k] * left, second[R] += from[R][k] * right), ...);
    }
  }

  /** One branch per step instead of one per value. */
  void write_all() {
    if (p.bias != nullptr) {
      const Vec left = load(p.bias + column), right = load(p.bias + column + kLanes);
      ((first[R] += left, second[R] += right), ...);
    }
    if (p.residual != nullptr) {
      ((first[R] += load(p.residual[row + R] + column),
        second[R] += load(p.residual[row + R] + column + kLanes)),
       ...);
    }
    if (p.relu) ((first[R] = relu(first[R]), second[R] = relu(second[R])), ...);
    float* to = p.out + row * p.stride + column;
    ((store(to + R * p.stride, first[R]), store(to + R * p.stride + kLanes, second[R])), ...);
  }

  /** Partial groups: fewer rows or columns exist than were multiplied. */
  void write_partial() const {
    const Vec sums[kRows][2] = {{first[R], second[R]}...};
    write_group(p, row, column, sums, [](int64_t, int64_t, Vec value) { return value; });
  }
};

template <int64_t... R>
inline void multiply_group(const RowProducts& p, int64_t row, int64_t column,
                           std::integer_sequence<int64_t, R...> rows) {
  RowGroup<R...> group{.p = p, .row = row, .column = column, .first = {}, .second = {}};
  const bool whole = row + group.kRows <= p.count && column + kPanel <= p.columns;
  if (whole) prefetch_outputs(p, row, column, rows);
  group.multiply();
  if (whole) {
    group.write_all();
  } else {
    group.write_partial();
  }
}

inline void multiply_rows(const RowProducts& p) {
  for_each_group(p,
                 [&](int64_t row, int64_t column) { multiply_group(p, row, column, GroupRows{}); });
}

}  // namespace
}  // namespace cellroute::ops::cpu
