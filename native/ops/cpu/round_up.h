#pragma once

#include <cstdint>

namespace cellroute::ops::cpu {

constexpr int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }
constexpr int64_t round_up(int64_t value, int64_t to) { return divide_up(value, to) * to; }

}  // namespace cellroute::ops::cpu
