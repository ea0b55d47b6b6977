#pragma once

#include <napi.h>

#include "addon/read.h"
#include "model/detect.h"

namespace cellroute::addon {

/** Reads the part of NativeSegmentOptions that the network uses. */
model::DetectOptions read_detect_options(const Fields& fields);

}  // namespace cellroute::addon
