#pragma once

#include <napi.h>

#include <memory>

#include "io/pixels.h"

namespace cellroute::addon {

/** Copies {data, width, height, channels}, so that the caller may change or transfer its buffer. */
io::Image read_image(const Napi::Value& value);

/** The image of a handle from createImage(), or a copy of {data, width, height, channels}. */
std::shared_ptr<const io::Image> shared_image(const Napi::Value& value);

}  // namespace cellroute::addon
