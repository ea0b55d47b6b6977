#pragma once

#include <napi.h>

#include <memory>

#include "io/pixels.h"

namespace cellroute::addon {

/** Copies {data, width, height, channels}, so that the caller may change or transfer its buffer. */
io::Image read_image(const Napi::Value& value);

/** The image of a handle from createImage(), or a copy of {data, width, height, channels}. */
std::shared_ptr<const io::Image> shared_image(const Napi::Value& value);

/** createImage({data, width, height, channels}): a handle to native memory for an image, without
 *  pixels. appendPixels(handle, data, begin, end): copies elements begin to end of `data` into it,
 *  in parts, so that no copy blocks the event loop. releaseImage(handle). discardPixels(data):
 *  frees the memory of an array that is no longer used. */
void register_images(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
