#include "ops/cpu/finished_rows_impl.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/weighted_rows_impl.h"
#include "ops/cpu/winograd_tiles_impl.h"

namespace cellroute::ops::cpu {

const Kernels<float> kAvx512Kernels{input_tiles<Float32Points>, output_tiles<Float32Points>,
                                    weighted_rows<float>, finish_rows<float>,
                                    gradient_tiles<Float32Points>};

const Kernels<Bfloat16Bits> kAvx512Bfloat16Kernels{
    input_tiles<Bfloat16Points>, output_tiles<Bfloat16Points>, weighted_rows<Bfloat16Bits>,
    finish_rows<Bfloat16Bits>};

}  // namespace cellroute::ops::cpu
