#pragma once

#include <napi.h>

namespace cellroute::addon {

/** tryRoom(bytes): room for a call's image, or null; requestRoom(bytes, call): a promise of room;
 *  releaseRoom(room); setQueueLimits(bytes, calls) and queueState() of the process. */
void register_admission(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
