#pragma once

#include <type_traits>

namespace cellroute {

/** For values of at least 0 and divisors of at least 1. */
template <typename T>
constexpr T divide_up(T value, std::type_identity_t<T> divisor) {
  return (value + divisor - 1) / divisor;
}

/** The smallest multiple of `divisor` that is at least `value`. */
template <typename T>
constexpr T round_up(T value, std::type_identity_t<T> divisor) {
  return divide_up(value, divisor) * divisor;
}

}  // namespace cellroute
