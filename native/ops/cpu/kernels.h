#pragma once

#include "ops/cpu/bfloat16_bits.h"
#include "ops/cpu/conv_epilogue.h"
#include "ops/cpu/integer_products.h"
#include "ops/cpu/row_products.h"
#include "ops/cpu/weighted_rows.h"
#include "ops/cpu/winograd_tiles.h"

namespace cellroute::ops::cpu {

/** What is vectorised by hand over channels of type T, as one instruction set has it. */
template <typename T>
struct Kernels {
  TileTransforms<T> small_tiles;
  void (*weighted_rows)(const WeightedRows<T>&);
  void (*apply_epilogue)(const ConvEpilogue<T>&);
  TileTransforms<T> large_tiles = {};                      // float32 only: too coarse in bfloat16
  void (*gradient_tiles)(const InputTiles<T>&) = nullptr;  // of the large ones: training
  // Null where LibTorch's products are used: in bfloat16, and where ours were not measured beside
  // them.
  void (*multiply_rows)(const RowProducts&) = nullptr;
  int64_t panel = 0;  // columns that it wants together; 0 with LibTorch's
};

/** Products of integers. */
struct IntegerKernels {
  void (*quantise)(const QuantisedRow&);
  void (*multiply)(const IntegerProducts&);
  int64_t panel;           // columns that it wants together
  int64_t values_of_word;  // 2 or 4
};

// In isa_*.cc. Constant, so that a static of another file may use them.
extern const Kernels<float> kBaselineKernels;
extern const Kernels<float> kAvx2Kernels;
extern const Kernels<float> kAvx512Kernels;
extern const Kernels<Bfloat16Bits> kAvx512Bfloat16Kernels;
extern const IntegerKernels kAvx2Int16Kernels;
extern const IntegerKernels kAvx512Int8Kernels;
extern const IntegerKernels kAvx512Int16Kernels;

/** The sets that this processor can run, the best first, and null after them. float32 has one
 *  always; bfloat16 where there are instructions for it and LibTorch's products use them. */
template <typename T>
const Kernels<T>* const* usable_kernels();

/** The same for integers of 8 bits, unsigned in rows: none where there is neither AVX2 nor
 * AVX-512's VNNI. */
const IntegerKernels* const* usable_int8_kernels();

/** For 16 bits. */
const IntegerKernels* const* usable_int16_kernels();

/** Kernels::panel of the best for float32. */
int64_t best_panel();

/** Whether bfloat16 is multiplied by Intel's AMX. */
bool has_matrix_registers();

}  // namespace cellroute::ops::cpu
