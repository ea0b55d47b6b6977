#pragma once

#include <cstdint>

namespace cellroute::ops::cpu {

/** Rows per group. `rows` has whole groups. */
inline constexpr int64_t kRowsPerStep = 6;

/** Rows at arbitrary addresses. */
struct Rows {
  const float* const* rows;  // [count, rounded up to kRowsPerStep]: `depth` values each
  int64_t offset;            // added to every address
  int64_t depth;
};

/** Rows, those of `second` behind those of `first`, times a matrix, and what follows a convolution.
 */
struct RowProducts {
  Rows first;
  Rows second;  // depth 0 for none
  int64_t count;
  const float* weights;  // [panels][depths][panel], zeros behind the last column
  int64_t columns;
  const float* bias;             // [columns], padded to whole panels; may be null
  const float* const* residual;  // `columns` for each row, added before ReLU; may be null
  bool relu;
  float* out;  // [count][stride]
  int64_t stride;
};

}  // namespace cellroute::ops::cpu
