#include "addon/errors.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>

#include "error.h"

namespace cellroute::addon {

namespace {

Napi::Error with_code(Napi::Env env, const std::string& message, const std::string& code) {
  auto error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

Napi::Error with_position(Napi::Env env, const Error& error) {
  auto result = with_code(env, error.what(), error.code());
  if (error.position()) {
    result.Set("position", Napi::Number::New(env, static_cast<double>(*error.position())));
  }
  return result;
}

/** Matches the message, because LibTorch's CPU allocator has no special exception type. */
bool is_out_of_memory(const std::string& message) {
  return message.find("can't allocate memory") != std::string::npos ||
         message.find("not enough memory") != std::string::npos;
}

}  // namespace

Napi::Error to_js_error(Napi::Env env, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const MaskError& error) {
    auto result = with_position(env, error);
    result.Set("mask", Napi::Number::New(env, static_cast<double>(error.mask())));
    return result;
  } catch (const Error& error) {
    return with_position(env, error);
  } catch (const Cancelled& error) {
    return with_code(env, error.what(), "CANCELLED");
  } catch (const std::bad_alloc&) {
    return with_code(env, "Not enough memory", "OUT_OF_MEMORY");
  } catch (const c10::OutOfMemoryError& error) {
    return with_code(env,
                     std::string(error.what_without_backtrace()) +
                         "\nSmaller images or tiles, a smaller batch, or a precision of 16 bits "
                         "need less.",
                     "OUT_OF_MEMORY");
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    return with_code(env, message, is_out_of_memory(message) ? "OUT_OF_MEMORY" : "NATIVE_FAILURE");
  } catch (const std::exception& error) {
    return with_code(env, error.what(), "NATIVE_FAILURE");
  } catch (...) {
    return with_code(env, "An unknown failure in native code", "NATIVE_FAILURE");
  }
}

}  // namespace cellroute::addon
