#pragma once

#include <napi.h>

#include <memory>
#include <utility>

namespace cellroute::addon {

/** One tag a native type: a handle of another kind, or any other object, is refused and never cast.
 */
template <typename T>
struct TypeTag;

/** A native object in JS hands: an opaque, tagged object that shares ownership. `release` lets go
 *  before the garbage collector would; a job that runs holds its own share. */
template <typename T>
class Handle {
 public:
  static Napi::Object make(Napi::Env env, std::shared_ptr<T> object) {
    auto result = Napi::Object::New(env);
    auto holder = std::make_unique<std::shared_ptr<T>>(std::move(object));
    const auto status = napi_wrap(
        env, result, holder.get(),
        [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<T>*>(data); }, nullptr,
        nullptr);
    if (status != napi_ok) throw Napi::Error::New(env, "cellroute: an object could not be wrapped");
    static_cast<void>(holder.release());
    result.TypeTag(&TypeTag<T>::value);
    return result;
  }

  static std::shared_ptr<T> get(Napi::Env env, const Napi::Value& value) {
    auto& held = holder(env, value);
    if (!held) throw Napi::TypeError::New(env, "cellroute: the native object was released");
    return held;
  }

  static void release(Napi::Env env, const Napi::Value& value) { holder(env, value).reset(); }

 private:
  static std::shared_ptr<T>& holder(Napi::Env env, const Napi::Value& value) {
    void* data = nullptr;
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&TypeTag<T>::value) ||
        napi_unwrap(env, value, &data) != napi_ok) {
      throw Napi::TypeError::New(env, "cellroute: not a native object of this kind");
    }
    return *static_cast<std::shared_ptr<T>*>(data);
  }
};

}  // namespace cellroute::addon
