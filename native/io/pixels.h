#pragma once

#include <ATen/core/Tensor.h>

#include "io/image.h"
#include "io/intensity.h"

namespace cellroute::io {

/** An image as [3, H, W] float32: alpha is dropped, grey is repeated. On a GPU's owner thread it
 *  is copied through pinned memory while the host continues. Throws IMAGE_UNSUPPORTED for a
 *  value that is not finite and for a range that float32 cannot represent. */
at::Tensor to_float(const Image& image, const Intensity& intensity, at::Device device = at::kCPU);

}  // namespace cellroute::io
