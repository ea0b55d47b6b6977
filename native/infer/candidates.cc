#include "infer/candidates.h"

#include "infer/vectors.h"
#include "ops/paste.h"

namespace cellroute::infer {

Candidates find_candidates(MaskRcnnPlan& plan, const io::Image& image,
                           const io::Intensity& intensity, const model::DetectOptions& options,
                           const std::vector<double>& nms_thresholds, const JobContext& poll) {
  const torch::InferenceMode inference;
  const auto found =
      plan.candidates(io::to_float(image, intensity, plan.device()), options, nms_thresholds, poll);
  const auto& detections = found.detections;
  return {.boxes = to_vector<float>(detections.boxes, torch::kFloat32),
          .scores = to_vector<float>(detections.scores, torch::kFloat32),
          .labels = to_vector<int32_t>(detections.labels, torch::kInt32),
          .probabilities = to_vector<float>(detections.mask_probabilities, torch::kFloat32),
          .side = detections.mask_probabilities.size(1),
          .kept_by = to_vector<uint8_t>(found.kept_by, torch::kUInt8),
          .dropped_score = found.dropped_score,
          .proposals_capped = detections.proposals_capped};
}

std::vector<mask::Rle> cut_masks(const std::vector<float>& boxes,
                                 const std::vector<float>& probabilities, int64_t side,
                                 int64_t height, int64_t width, double threshold) {
  const torch::InferenceMode inference;
  const auto view = [](const std::vector<float>& values, at::IntArrayRef sizes) {
    // Read only: paste_masks changes nothing.
    return torch::from_blob(const_cast<float*>(values.data()), sizes, torch::kFloat32);
  };
  const auto count = static_cast<int64_t>(boxes.size() / 4);
  return ops::paste_masks(view(probabilities, {count, side, side}), view(boxes, {count, 4}), height,
                          width, threshold);
}

}  // namespace cellroute::infer
