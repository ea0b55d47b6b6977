#pragma once

#include <napi.h>

#include <cstdint>
#include <span>

#include "mask/rle.h"

namespace cellroute::addon {

/** Converts masks of one image size to a MaskBatch of lib/native/contract.ts. */
Napi::Object batch_to_js(Napi::Env env, std::span<const mask::Rle> masks, uint32_t height,
                         uint32_t width);

}  // namespace cellroute::addon
