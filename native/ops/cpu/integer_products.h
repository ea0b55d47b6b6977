#pragma once

#include <cstddef>
#include <cstdint>

namespace cellroute::ops::cpu {

/** What a row's integers stand for: zero + step * integer. Both NaN where a value of the row or
 *  the span of all of them is not finite. */
struct RowScale {
  float zero;
  float step;
};

/** Integers from `least` to `least` + `levels`. */
struct Levels {
  float least;
  float levels;
};

/** A row of floats on its way into integers, spread over its own range. */
struct QuantisedRow {
  const float* values;  // [depth]
  int64_t depth;        // at least 1
  Levels levels;
  std::byte* words;  // [depth, rounded up to kQuantisedDepth] as the kernels have them
  RowScale* scale;
};

/** Rows are filled up to a multiple of it. */
inline constexpr int64_t kQuantisedDepth = 16;

// Values and weights that are multiplied at once, 2 or 4 of them.
inline constexpr int64_t kWordBytes = 4;

/** Quantised rows times quantised weights, summed in 32 bits, which levels and weights have to
 * leave room for, and what follows a convolution. */
struct IntegerProducts {
  const std::byte* rows;  // [count, rounded up to kRowsAtOnce][row_bytes]
  int64_t row_bytes;
  const RowScale* row_scales;
  int64_t count;
  int64_t words;                 // of a row: its depth
  const std::byte* weights;      // [panels][words][panel] words, zeros behind the last column
  const float* steps;            // a weight is its column's step times an integer
  const float* sums;             // of each column's weights
  int64_t columns;               // steps, sums and bias are padded to whole panels
  const float* bias;             // may be null
  const float* const* residual;  // `columns` for each row, added before ReLU; may be null
  bool relu;
  float* out;  // [count][stride]; may be where the residual is
  int64_t stride;
};

}  // namespace cellroute::ops::cpu
