#pragma once

#include <napi.h>

#include "io/pixels.h"

namespace cellroute::addon {

/** Copies {data, width, height, channels}: the caller may change or lose its buffer meanwhile, and
 * a worker's memory goes with the worker. */
io::Image read_image(const Napi::Value& value);

}  // namespace cellroute::addon
