#pragma once

#include <cstdint>

namespace cellroute::ops::cpu {

/** A bfloat16 value for code that does not include c10. */
using Bfloat16Bits = uint16_t;

}  // namespace cellroute::ops::cpu
