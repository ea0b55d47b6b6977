#pragma once

#include <napi.h>

namespace cellroute::addon {

/** prepareSample of lib/native/contract.ts. */
void register_sample(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
