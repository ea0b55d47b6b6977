#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <utility>

namespace cellroute::addon {

/** A tag per native type. A handle of another type, or any other object, is refused and never cast.
 */
template <typename T>
struct TypeTag;

/** A native object held by JavaScript: an opaque, tagged object that shares ownership. `release`
 *  drops the share before garbage collection; a running job has its own share. */
template <typename T>
class Handle {
 public:
  /** `weight` is the object's memory in bytes, reported to V8 so that it collects garbage in time.
   */
  static Napi::Object make(Napi::Env env, std::shared_ptr<T> object, int64_t weight = 0) {
    auto result = Napi::Object::New(env);
    auto holder = std::make_unique<Holder>(std::move(object), weight);
    if (napi_wrap(env, result, holder.get(), finalize, nullptr, nullptr) != napi_ok) {
      throw Napi::Error::New(env, "cellroute: an object could not be wrapped");
    }
    [[maybe_unused]] const auto* wrapped = holder.release();
    result.TypeTag(&TypeTag<T>::value);
    Napi::MemoryManagement::AdjustExternalMemory(env, weight);
    return result;
  }

  /** Whether a value is a handle of this type. */
  static bool is(const Napi::Value& value) {
    return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&TypeTag<T>::value);
  }

  static std::shared_ptr<T> get(Napi::Env env, const Napi::Value& value) {
    const auto& held = holder(env, value).object;
    if (!held) throw Napi::TypeError::New(env, "cellroute: the native object was released");
    return held;
  }

  static void release(Napi::Env env, const Napi::Value& value) { drop(env, holder(env, value)); }

 private:
  struct Holder {
    Holder(std::shared_ptr<T> held, int64_t bytes) : object(std::move(held)), weight(bytes) {}

    std::shared_ptr<T> object;
    int64_t weight;
  };

  static void drop(Napi::Env env, Holder& held) {
    held.object.reset();
    Napi::MemoryManagement::AdjustExternalMemory(env, -std::exchange(held.weight, 0));
  }

  static void finalize(napi_env env, void* data, void*) {
    const std::unique_ptr<Holder> held(static_cast<Holder*>(data));
    drop(env, *held);
  }

  static Holder& holder(Napi::Env env, const Napi::Value& value) {
    void* data = nullptr;
    if (!is(value) || napi_unwrap(env, value, &data) != napi_ok) {
      throw Napi::TypeError::New(env, "cellroute: not a native object of this kind");
    }
    return *static_cast<Holder*>(data);
  }
};

}  // namespace cellroute::addon
