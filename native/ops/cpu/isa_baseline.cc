#include "ops/cpu/finished_rows_impl.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/weighted_rows_impl.h"
#include "ops/cpu/winograd_tiles_impl.h"

namespace cellroute::ops::cpu {

const Kernels<float> kBaselineKernels{input_tiles<Float32Points>, output_tiles<Float32Points>,
                                      weighted_rows<float>, finish_rows<float>,
                                      gradient_tiles<Float32Points>};

}  // namespace cellroute::ops::cpu
