#pragma once

#include <napi.h>

#include <cstddef>
#include <exception>
#include <utility>

#include "error.h"

namespace cellroute::addon {

/** An error about one of several masks. */
class MaskError : public Error {
 public:
  MaskError(const Error& error, size_t mask) : Error(error), mask_(mask) {}
  size_t mask() const { return mask_; }

 private:
  size_t mask_;
};

/** Runs `read` for one of several masks and adds the index of the mask to its error. */
template <typename Read>
auto read_mask(size_t index, Read&& read) {
  try {
    return std::forward<Read>(read)();
  } catch (const Error& error) {
    throw MaskError(error, index);
  }
}

/** Converts an exception to a JS error. `code` is one of lib/errors.ts or CANCELLED; `position` and
 *  `mask` are set if the exception has them. */
Napi::Error to_js_error(Napi::Env env, const std::exception_ptr& failure);

/** Runs a function of the addon and converts its exceptions to JS errors. */
template <typename Function>
Napi::Value guarded(Napi::Env env, Function&& function) {
  try {
    return std::forward<Function>(function)();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js_error(env, std::current_exception());
  }
}

}  // namespace cellroute::addon
