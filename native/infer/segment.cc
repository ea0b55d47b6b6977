#include "infer/segment.h"

#include <utility>

#include "infer/vectors.h"
#include "mask/overlap.h"
#include "ops/paste.h"

namespace cellroute::infer {

namespace {

/** Keeps the cells at `kept`, a rising list. */
void select(Cells& cells, const std::vector<uint32_t>& kept) {
  Cells result;
  result.detections_capped = cells.detections_capped;
  result.proposals_capped = cells.proposals_capped;
  for (const uint32_t i : kept) {
    const auto box = cells.boxes.begin() + std::ptrdiff_t{4} * i;
    result.boxes.insert(result.boxes.end(), box, box + 4);
    result.scores.push_back(cells.scores[i]);
    result.labels.push_back(cells.labels[i]);
    result.areas.push_back(cells.areas[i]);
    result.masks.push_back(std::move(cells.masks[i]));
  }
  cells = std::move(result);
}

void measure_areas(Cells& cells) {
  cells.areas.clear();
  for (const auto& rle : cells.masks) {
    cells.areas.push_back(static_cast<uint32_t>(mask::area(rle)));
  }
}

void remove_overlaps(Cells& cells, double max_lost) {
  const std::vector<mask::RleView> masks(cells.masks.begin(), cells.masks.end());
  auto disjoint = mask::remove_overlaps(masks, max_lost);
  for (size_t i = 0; i < disjoint.kept.size(); ++i) {
    cells.masks[disjoint.kept[i]] = std::move(disjoint.masks[i]);
  }
  select(cells, disjoint.kept);
  measure_areas(cells);
}

void remove_small(Cells& cells, uint32_t min_area) {
  std::vector<uint32_t> kept;
  for (uint32_t i = 0; i < cells.areas.size(); ++i) {
    if (cells.areas[i] >= min_area) kept.push_back(i);
  }
  if (kept.size() < cells.areas.size()) select(cells, kept);
}

std::vector<mask::Rle> paste(const model::Detections& found, const io::Picture& picture,
                             double mask_threshold) {
  const StageScope stage("paste");
  return ops::paste_masks(found.mask_probabilities, found.boxes, picture.height, picture.width,
                          mask_threshold);
}

std::vector<torch::Tensor> to_float(const std::vector<const io::Picture*>& pictures,
                                    const io::Intensity& intensity) {
  const StageScope stage("intensity");
  std::vector<torch::Tensor> inputs;
  inputs.reserve(pictures.size());
  for (const auto* picture : pictures) inputs.push_back(io::to_float(*picture, intensity));
  return inputs;
}

Cells finish(const model::Detections& found, const io::Picture& picture,
             const SegmentOptions& options) {
  Cells cells;
  cells.boxes = to_vector<float>(found.boxes, torch::kFloat32);
  cells.scores = to_vector<float>(found.scores, torch::kFloat32);
  cells.labels = to_vector<int32_t>(found.labels, torch::kInt32);
  cells.masks = paste(found, picture, options.mask_threshold);
  cells.detections_capped = found.detections_capped;
  cells.proposals_capped = found.proposals_capped;
  measure_areas(cells);
  const StageScope stage("overlaps");
  // Before the overlaps: what is too small to be a cell takes no pixels from one.
  remove_small(cells, options.min_area);
  if (options.max_lost) {
    remove_overlaps(cells, *options.max_lost);
    remove_small(cells, options.min_area);
  }
  return cells;
}

}  // namespace

std::vector<Cells> segment(MaskRcnnPlan& plan, const std::vector<const io::Picture*>& pictures,
                           const SegmentOptions& options, const Poll& poll) {
  const torch::InferenceMode inference;
  Profile profile;
  const ProfileScope profiling(options.profile ? &profile : nullptr);
  const auto found = plan.detect(to_float(pictures, options.intensity), options.detect, poll);
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
