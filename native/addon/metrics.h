#pragma once

#include <napi.h>

namespace cellroute::addon {

/** evaluateMasks of lib/native/contract.ts. */
void register_metrics(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
