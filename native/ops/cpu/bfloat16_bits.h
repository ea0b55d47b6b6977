#pragma once

#include <cstdint>

namespace cellroute::ops::cpu {

/** A bfloat16 where c10's type is not known. */
using Bfloat16Bits = uint16_t;

}  // namespace cellroute::ops::cpu
