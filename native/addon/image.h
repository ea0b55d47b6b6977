#pragma once

#include <napi.h>

#include <memory>

#include "io/pixels.h"

namespace cellroute::addon {

/** A copy of {data, width, height, channels}: the caller may change or transfer its buffer. */
io::Image read_image(const Napi::Value& value);

/** The image of a handle that createImage() made, or a copy of {data, width, height, channels}. */
std::shared_ptr<const io::Image> shared_image(const Napi::Value& value);

/** createImage({data, width, height, channels}): a handle to native memory for an image, still
 *  empty. appendPixels(handle, data, begin, end) copies elements begin to end of `data` into it: in
 *  parts, so that no copy blocks the event loop. releaseImage(handle). discardPixels(data) frees
 *  the memory of an array that nothing reads any more. */
void register_images(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
