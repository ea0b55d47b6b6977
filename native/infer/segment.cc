#include "infer/segment.h"

#include <utility>

#include "engine/profile.h"
#include "infer/vectors.h"
#include "ops/paste.h"

namespace cellroute::infer {

namespace {

std::vector<torch::Tensor> to_float(const std::vector<const io::Picture*>& pictures,
                                    const io::Intensity& intensity, torch::Device device) {
  const StageScope stage("intensity");
  std::vector<torch::Tensor> inputs;
  inputs.reserve(pictures.size());
  for (const auto* picture : pictures) inputs.push_back(io::to_float(*picture, intensity, device));
  return inputs;
}

Cells finish(const model::Detections& found, const io::Picture& picture,
             const SegmentOptions& options) {
  Cells cells;
  cells.boxes = to_vector<float>(found.boxes, torch::kFloat32);
  cells.scores = to_vector<float>(found.scores, torch::kFloat32);
  cells.labels = to_vector<int32_t>(found.labels, torch::kInt32);
  cells.masks = ops::paste_masks(found.mask_probabilities, found.boxes, picture.height,
                                 picture.width, options.mask_threshold);
  cells.detections_capped = found.detections_capped;
  cells.proposals_capped = found.proposals_capped;
  settle(cells, options.min_area, options.max_lost);
  return cells;
}

}  // namespace

std::vector<Cells> segment(MaskRcnnPlan& plan, const std::vector<const io::Picture*>& pictures,
                           const SegmentOptions& options, const Poll& poll) {
  const torch::InferenceMode inference;
  Profile profile;
  const ProfileScope profiling(options.profile ? &profile : nullptr);
  const auto found =
      plan.detect(to_float(pictures, options.intensity, plan.device()), options.detect, poll);
  std::vector<Cells> result;
  result.reserve(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    poll("masks", 0.9 + 0.1 * static_cast<double>(i) / static_cast<double>(found.size()));
    result.push_back(finish(found[i], *pictures[i], options));
  }
  for (auto& cells : result) cells.profile = profile;
  poll("done", 1.0);
  return result;
}

}  // namespace cellroute::infer
