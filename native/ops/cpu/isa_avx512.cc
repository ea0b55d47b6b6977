#include "ops/cpu/conv_epilogue_impl.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/roi/weighted_rows_impl.h"
#include "ops/cpu/winograd/winograd_tiles_impl.h"

namespace cellroute::ops::cpu {

const Kernels<float> kAvx512Kernels{kSmallTiles<float>, weighted_rows<float>, apply_epilogue<float>,
                                    kLargeTiles, gradient_tiles<LargePoints>};

const Kernels<Bfloat16Bits> kAvx512Bfloat16Kernels{
    kSmallTiles<Bfloat16Bits>, weighted_rows<Bfloat16Bits>, apply_epilogue<Bfloat16Bits>};

}  // namespace cellroute::ops::cpu
