#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/axis.h"
#include "data/photometric.h"
#include "engine/job.h"
#include "io/intensity.h"
#include "mask/rle.h"

namespace cellroute::data {

/** How one sample is made from an image. lib/transforms draws the random values; native code
 *  applies them in one pass. */
struct SamplePlan {
  io::Intensity intensity;  // computed over the whole image, as for inference
  bool transposed = false;  // the sample's rows run along the image's y
  Side x;                   // along the image's x, also if transposed
  Side y;
  std::vector<Photometric> photometric;
  float fill = 0;          // value outside the image
  double min_visible = 0;  // cells with a smaller visible share of their pixels are dropped
};

struct Sample {
  uint32_t height = 0;
  uint32_t width = 0;
  std::vector<float> pixels;  // [3, height, width]
  std::vector<mask::Rle> masks;
  std::vector<uint32_t> kept;  // indices of the given masks that were kept, in increasing order
};

/** Throws INVALID_ARGUMENT if masks and image differ in size or the plan does not fit the image,
 *  and what io::FloatImage throws. Masks without visible pixels are dropped. May be called on
 *  any thread. */
Sample prepare_sample(const io::Image& image, std::span<const mask::RleView> masks,
                      const SamplePlan& plan, const JobContext& poll);

}  // namespace cellroute::data
