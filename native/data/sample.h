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

/** How one sample is made of an image: lib/transforms draws it, and it is carried out at once. */
struct SamplePlan {
  io::Intensity intensity;  // over the whole image, as before inference
  bool transposed = false;  // the sample's rows run along the image's y
  Side x;                   // along the image's x, whichever way the sample lies
  Side y;
  std::vector<Photometric> photometric;
  float fill = 0;          // past the image
  double min_visible = 0;  // share of a cell's pixels that must be shown, or it is dropped
};

struct Sample {
  uint32_t height = 0;
  uint32_t width = 0;
  std::vector<float> pixels;  // [3, height, width]
  std::vector<mask::Rle> masks;
  std::vector<uint32_t> kept;  // which of the given masks these are, rising
};

/** Throws INVALID_ARGUMENT where masks and image differ in size or the plan is none for it, and
 *  what io::FloatImage throws. Masks that nothing is left of are dropped. Any thread. */
Sample prepare_sample(const io::Image& image, std::span<const mask::RleView> masks,
                      const SamplePlan& plan, const JobContext& poll);

}  // namespace cellroute::data
