#pragma once

#include "ops/cpu/roi/weighted_rows.h"
#include "ops/cpu/vec.h"

namespace cellroute::ops::cpu {
namespace {

/** The weighted sum over `Vecs` vectors of channels from `channel` on, row by row. */
template <int Vecs, typename T>
inline void sum_rows(const WeightedRows<T>& rows, int64_t channel) {
  Vec sums[Vecs] = {};
  for (int64_t i = 0; i < rows.rows; ++i) {
    const T* row = rows.map + rows.offsets[i] + channel;
    const float weight = rows.weights[i];
    for (int v = 0; v < Vecs; ++v) sums[v] += weight * load(row + v * kLanes);
  }
  for (int v = 0; v < Vecs; ++v) store(rows.sum + channel + v * kLanes, sums[v] / rows.divisor);
}

template <typename T>
void weighted_rows(const WeightedRows<T>& rows) {
  constexpr int64_t kFourVecs = int64_t{4} * kLanes;
  int64_t c = 0;
  for (; c + kFourVecs <= rows.channels; c += kFourVecs) sum_rows<4>(rows, c);
  for (; c + kLanes <= rows.channels; c += kLanes) sum_rows<1>(rows, c);
  if (c == rows.channels) return;
  // The last channels are copied and padded with zeros: reading past a map's end is not allowed.
  const int64_t left = rows.channels - c;
  Vec sum = {};
  for (int64_t i = 0; i < rows.rows; ++i) {
    T row[kLanes] = {};
    for (int64_t k = 0; k < left; ++k) row[k] = rows.map[rows.offsets[i] + c + k];
    sum += rows.weights[i] * load(row);
  }
  T result[kLanes];
  store(result, sum / rows.divisor);
  for (int64_t k = 0; k < left; ++k) rows.sum[c + k] = result[k];
}

}  // namespace
}  // namespace cellroute::ops::cpu
