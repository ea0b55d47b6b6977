#pragma once

#include <cstddef>
#include <cstdint>

namespace cellroute::ops::cpu {

/** The values of a row's integers: zero + step * integer. Both are NaN if a value of the row or
 *  the span of its values is not finite. */
struct RowScale {
  float zero;
  float step;
};

/** Integers from `lowest` to `lowest` + `levels`. */
struct Levels {
  float lowest;
  float levels;
};

/** A row of floats to be quantised over its own range. */
struct QuantisedRow {
  const float* values;  // [depth]
  int64_t depth;        // at least 1
  Levels levels;
  std::byte* words;  // [depth, rounded up to kQuantisedDepth] as the kernels have them
  RowScale* scale;
};

/** Rows are padded to a multiple of this. */
inline constexpr int64_t kQuantisedDepth = 16;

// Number of values (2 or 4) that one instruction multiplies.
inline constexpr int64_t kWordBytes = 4;

/** Quantised rows times quantised weights, summed in 32 bits (the number of levels and the
 *  weights must leave room for the sums), and the operations after a convolution. */
struct IntegerProducts {
  const std::byte* rows;  // [count, rounded up to kRowsPerStep][row_bytes]
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
