#pragma once

#include "ops/cpu/bfloat16_bits.h"
#include "ops/cpu/conv_epilogue.h"
#include "ops/cpu/integer/integer_products.h"
#include "ops/cpu/pointwise/row_products.h"
#include "ops/cpu/roi/weighted_rows.h"
#include "ops/cpu/winograd/winograd_tiles.h"

namespace cellroute::ops::cpu {

/** The hand-vectorised kernels over channels of type T for one instruction set. */
template <typename T>
struct Kernels {
  TileTransforms<T> small_tiles;
  void (*weighted_rows)(const WeightedRows<T>&);
  void (*apply_epilogue)(const ConvEpilogue<T>&);
  TileTransforms<T> large_tiles = {};                      // float32 only: too coarse in bfloat16
  void (*gradient_tiles)(const InputTiles<T>&) = nullptr;  // of the large ones: training
  // Null where LibTorch's products are used: for bfloat16, and where ours were not measured against
  // them.
  void (*multiply_rows)(const RowProducts&) = nullptr;
  int64_t panel = 0;  // number of columns per panel; 0 with LibTorch's products
};

/** Integer products. */
struct IntegerKernels {
  void (*quantise)(const QuantisedRow&);
  void (*multiply)(const IntegerProducts&);
  int64_t panel;           // number of columns per panel
  int64_t values_of_word;  // 2 or 4
};

// Defined in isa_*.cc. Constant, so that statics of other files may use them.
extern const Kernels<float> kBaselineKernels;
extern const Kernels<float> kAvx2Kernels;
extern const Kernels<float> kAvx512Kernels;
extern const Kernels<Bfloat16Bits> kAvx512Bfloat16Kernels;
extern const IntegerKernels kAvx2Int16Kernels;
extern const IntegerKernels kAvx512Int8Kernels;
extern const IntegerKernels kAvx512Int16Kernels;

/** The instruction sets that this processor supports, best first, then null. There is always one
 *  for float32; for bfloat16 if the processor has instructions for it and LibTorch uses them. */
template <typename T>
const Kernels<T>* const* usable_kernels();

/** The same for 8-bit integers (unsigned rows). None without AVX2 and AVX-512 VNNI. */
const IntegerKernels* const* usable_int8_kernels();

/** For 16 bits. */
const IntegerKernels* const* usable_int16_kernels();

/** Kernels::panel of the best instruction set for float32. */
int64_t best_panel();

/** Whether this processor multiplies bfloat16 with Intel AMX. */
bool has_matrix_registers();

}  // namespace cellroute::ops::cpu
