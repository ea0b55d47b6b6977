#pragma once

#include <napi.h>

#include <exception>
#include <utility>

namespace cellroute::addon {

/** Converts an exception to a JS error. `code` is one of lib/errors.ts or CANCELLED; `position` is
 *  set if the exception has one. */
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
