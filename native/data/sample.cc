#include "data/sample.h"

#include <algorithm>
#include <string>
#include <utility>

#include "data/resample.h"
#include "data/resample_mask.h"
#include "error.h"

namespace cellroute::data {
namespace {

void check_masks(std::span<const mask::RleView> masks, const io::Image& image) {
  for (size_t i = 0; i < masks.size(); ++i) {
    if (masks[i].height == image.height && masks[i].width == image.width) continue;
    throw Error("INVALID_ARGUMENT",
                "Mask " + std::to_string(i) + " is of " + std::to_string(masks[i].width) + " x " +
                    std::to_string(masks[i].height) + " pixels, its image of " +
                    std::to_string(image.width) + " x " + std::to_string(image.height));
  }
}

/** Repeats a grey plane three times. */
void repeat_grey(std::vector<float>& planes) {
  const auto plane = static_cast<std::ptrdiff_t>(planes.size());
  planes.resize(planes.size() * 3);
  std::copy_n(planes.begin(), plane, planes.begin() + plane);
  std::copy_n(planes.begin(), plane, planes.begin() + 2 * plane);
}

}  // namespace

Sample prepare_sample(const io::Image& image, std::span<const mask::RleView> masks,
                      const SamplePlan& plan, const JobContext& poll) {
  poll("pixels", 0.0);
  const io::FloatImage floats(image, plan.intensity);
  check_masks(masks, image);
  const Axis x(plan.x, image.width), y(plan.y, image.height);
  const Axis& down = plan.transposed ? x : y;
  const Axis& across = plan.transposed ? y : x;
  Sample sample{.height = static_cast<uint32_t>(down.size()),
                .width = static_cast<uint32_t>(across.size()),
                .pixels = resample(floats, image.width, x, y, plan.transposed, plan.fill),
                .masks = {},
                .kept = {}};
  mask::checked_pixels(sample.height, sample.width);
  for (const auto& factors : plan.photometric) {
    poll("pixels", 0.4);
    adjust(sample.pixels, floats.channels(), across.size(), down.inside(), across.inside(),
           factors);
  }
  if (floats.channels() == 1) repeat_grey(sample.pixels);

  for (size_t i = 0; i < masks.size(); ++i) {
    poll("masks", 0.8);
    if (plan.min_visible > 0 &&
        shown_area(masks[i], x, y) < plan.min_visible * mask::area(masks[i])) {
      continue;
    }
    auto sampled = resample_mask(masks[i], x, y, plan.transposed);
    if (mask::area(sampled) == 0) continue;
    sample.masks.push_back(std::move(sampled));
    sample.kept.push_back(static_cast<uint32_t>(i));
  }
  poll("done", 1.0);
  return sample;
}

}  // namespace cellroute::data
