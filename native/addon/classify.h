#pragma once

#include <napi.h>

namespace cellroute::addon {

/** classify(model, picture, intensity, call) and classifyTensor(model, data, height, width, call).
 */
void register_classify(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
