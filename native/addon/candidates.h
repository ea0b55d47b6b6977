#pragma once

#include <napi.h>

namespace cellroute::addon {

/** findCandidates(model, image, options, call), cutMasks(candidates, height, width, threshold,
 *  call). */
void register_candidates(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
