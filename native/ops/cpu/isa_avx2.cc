#include "ops/cpu/conv_epilogue_impl.h"
#include "ops/cpu/integer/integer_products_impl.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/pointwise/row_products_impl.h"
#include "ops/cpu/roi/weighted_rows_impl.h"
#include "ops/cpu/winograd/winograd_tiles_impl.h"

namespace cellroute::ops::cpu {

const Kernels<float> kAvx2Kernels{kSmallTiles<float>,
                                  weighted_rows<float>,
                                  apply_epilogue<float>,
                                  kLargeTiles,
                                  gradient_tiles<LargePoints>,
                                  multiply_rows,
                                  kPanel};

const IntegerKernels kAvx2Int16Kernels = kIntegerKernels<Pairs>;

}  // namespace cellroute::ops::cpu
