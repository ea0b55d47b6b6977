#pragma once

#include <napi.h>

namespace cellroute::addon {

/** segment(model, picture, options, call). */
void register_segment(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
