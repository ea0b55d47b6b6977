#pragma once

#include <napi.h>

namespace cellroute::addon {

/** explain(model, image, intensity, options, call) and explainTensor(model, data, height, width,
 *  options, call). */
void register_explain(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
