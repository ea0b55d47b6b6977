#pragma once

#include <cstdint>

namespace cellroute::ops::cpu {

/** Rows of channels with weights: the contributions to one RoIAlign bin from a channels-last
 *  map. */
template <typename T>
struct WeightedRows {
  const T* map;
  const int64_t* offsets;  // of each row, in values from `map`
  const float* weights;
  int64_t rows;
  float divisor;
  int64_t channels;
  T* sum;  // [channels], divided by `divisor`
};

}  // namespace cellroute::ops::cpu
