#pragma once

#include <napi.h>

namespace cellroute::addon {

/** measureShapes, measureIntensities of lib/native/contract.ts. */
void register_measure(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
