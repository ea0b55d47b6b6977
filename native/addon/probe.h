#pragma once

#include <napi.h>

namespace cellroute::addon {

/** probeScales(model, image, options, probes, call), blockContrast(image, intensity, rows,
 *  columns, call). */
void register_probe(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
