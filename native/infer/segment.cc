#include "infer/segment.h"

#include <iterator>
#include <utility>

#include "engine/profile.h"
#include "infer/vectors.h"
#include "ops/paste.h"

namespace cellroute::infer {

namespace {

std::vector<torch::Tensor> to_float(const std::vector<Input>& images,
                                    const io::Intensity& intensity, torch::Device device) {
  const StageScope stage("intensity");
  std::vector<torch::Tensor> values;
  values.reserve(images.size());
  for (const auto& [image, ahead] : images) {
    values.push_back(ahead ? ahead->get() : io::to_float(*image, intensity, device));
  }
  return values;
}

/** `values` of all images, concatenated. */
template <typename Value>
std::vector<Value> slice(const std::vector<Value>& values, size_t begin, size_t count) {
  const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

torch::Tensor concat(const std::vector<model::Detections>& found,
                     torch::Tensor model::Detections::* part) {
  std::vector<torch::Tensor> parts;
  parts.reserve(found.size());
  for (const auto& one : found) parts.push_back(one.*part);
  return parts.size() == 1 ? parts.front() : torch::cat(parts);
}

/** The cells of images of one size. Values on a GPU are fetched once for all images. */
std::vector<Cells> finish(const std::vector<model::Detections>& found, const io::Image& first,
                          const SegmentOptions& options) {
  const auto all_boxes = concat(found, &model::Detections::boxes);
  auto masks = ops::paste_masks(concat(found, &model::Detections::mask_probabilities), all_boxes,
                                first.height, first.width, options.mask_threshold);
  const auto boxes = to_vector<float>(all_boxes, torch::kFloat32);
  const auto scores = to_vector<float>(concat(found, &model::Detections::scores), torch::kFloat32);
  const auto labels = to_vector<int32_t>(concat(found, &model::Detections::labels), torch::kInt32);
  std::vector<Cells> result;
  result.reserve(found.size());
  size_t begin = 0;
  for (const auto& one : found) {
    const auto count = static_cast<size_t>(one.scores.size(0));
    Cells cells;
    cells.boxes = slice(boxes, 4 * begin, 4 * count);
    cells.scores = slice(scores, begin, count);
    cells.labels = slice(labels, begin, count);
    const auto mask = masks.begin() + static_cast<std::ptrdiff_t>(begin);
    cells.masks.assign(std::make_move_iterator(mask),
                       std::make_move_iterator(mask + static_cast<std::ptrdiff_t>(count)));
    cells.detections_capped = one.detections_capped;
    cells.proposals_capped = one.proposals_capped;
    filter_by_area_and_overlap(cells, options.min_area, options.max_lost);
    result.push_back(std::move(cells));
    begin += count;
  }
  return result;
}

}  // namespace

std::unique_ptr<cuda::StagedInput> prefetch_to_device(const io::Image& image,
                                                      const io::Intensity& intensity,
                                                      torch::Device device) {
  return cuda::StagedInput::start([&] {
    const torch::InferenceMode inference;
    return io::to_float(image, intensity, device);
  });
}

std::vector<Cells> segment(MaskRcnnPlan& plan, std::vector<Input> images,
                           const SegmentOptions& options, const JobContext& poll) {
  const torch::InferenceMode inference;
  Profile profile;
  const ProfileScope profiling(options.profile ? &profile : nullptr);
  const auto found =
      plan.detect(to_float(images, options.intensity, plan.device()), options.detect, poll);
  const auto& first = *images.front().image;
  images.clear();  // frees the prefetched values too: nothing reads them from here on
  poll("masks", 0.9);
  auto result = finish(found, first, options);
  for (auto& cells : result) cells.profile = profile;
  poll("done", 1.0);
  return result;
}

}  // namespace cellroute::infer
