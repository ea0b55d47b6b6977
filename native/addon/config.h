#pragma once

#include <napi.h>

#include "io/pixels.h"
#include "model/config.h"

namespace cellroute::addon {

// Read complete configurations of lib/config into the structs of native/model/config.h.
model::MaskRcnnConfig read_mask_rcnn_config(const Napi::Value& value);
model::ClassifierConfig read_classifier_config(const Napi::Value& value);
io::Intensity read_intensity(const Napi::Value& value);

}  // namespace cellroute::addon
