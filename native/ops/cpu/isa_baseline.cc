#include "ops/cpu/conv_epilogue_impl.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/roi/weighted_rows_impl.h"
#include "ops/cpu/winograd/winograd_tiles_impl.h"

namespace cellroute::ops::cpu {

const Kernels<float> kBaselineKernels{kSmallTiles<float>, weighted_rows<float>,
                                      apply_epilogue<float>, kLargeTiles,
                                      gradient_tiles<LargePoints>};

}  // namespace cellroute::ops::cpu
