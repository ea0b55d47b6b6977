#include "ops/cpu/integer/integer_products_impl.h"
#include "ops/cpu/kernels.h"

namespace cellroute::ops::cpu {

const IntegerKernels kAvx512Int8Kernels = kIntegerKernels<Quads>;
const IntegerKernels kAvx512Int16Kernels = kIntegerKernels<Pairs>;

}  // namespace cellroute::ops::cpu
