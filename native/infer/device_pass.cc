#include "infer/device_pass.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "engine/engine.h"
#include "engine/most_recent.h"
#include "engine/profile.h"

namespace cellroute::infer {
namespace {

// Each recording keeps the memory of a whole pass.
constexpr size_t kPasses = 4;

}  // namespace

void DevicePass::run(Pass& pass, const model::DetectionContext& context,
                     model::MaskRcnnLayers& parts, const torch::Tensor& input) {
  const auto work = [&](const torch::Tensor& batch) {
    pass.levels = parts.pyramid(batch, {});
    const auto predictions = parts.propose(pass.levels);
    if (pass.anchors.empty()) {
      pass.anchors = context.rpn.anchors(predictions, pass.shape.batch);
    }
    pass.found = model::detect_padded(context, parts, pass.levels, predictions, pass.anchors,
                                      pass.shape.image, pass.shape.options);
  };
  if (!pass.ran || !cuda::graphs_enabled()) {
    // The first batch of a size is not recorded: it may be the only one, and libraries initialise
    // in it.
    work(input);
    pass.ran = true;
    return;
  }
  if (!pass.graph) {
    pass.input = input.clone();
    pass.graph = cuda::Graph::record([&] { work(pass.input); });
  } else {
    pass.input.copy_(input);
  }
  pass.graph->replay();
}

std::vector<model::Detections> DevicePass::detect(const model::DetectionContext& context,
                                                  model::MaskRcnnLayers& parts,
                                                  const std::vector<torch::Tensor>& images,
                                                  const model::DetectOptions& options,
                                                  const JobContext& poll,
                                                  const model::BoxFilter& filter) {
  const torch::InferenceMode inference;
  // By powers of two: batch sizes vary with the queue, and each size needs its own recording.
  std::vector<model::Detections> all;
  for (auto next = images.begin(); next != images.end();) {
    const auto left = static_cast<size_t>(images.end() - next);
    const auto end = next + static_cast<std::ptrdiff_t>(std::bit_floor(left));
    auto some = detect_chunk(context, parts, {next, end}, options, poll, filter);
    std::ranges::move(some, std::back_inserter(all));
    next = end;
  }
  return all;
}

std::vector<model::Detections> DevicePass::detect_chunk(const model::DetectionContext& context,
                                                        model::MaskRcnnLayers& parts,
                                                        const std::vector<torch::Tensor>& images,
                                                        const model::DetectOptions& options,
                                                        const JobContext& poll,
                                                        const model::BoxFilter& filter) {
  const auto count = static_cast<int64_t>(images.size());
  poll("transform", 0);
  const auto batch = context.transform.stacked(torch::stack(images));
  poll("backbone", 0);
  const Shape shape{
      count, {batch.tensors.size(2), batch.tensors.size(3)}, batch.sizes.front(), options};
  auto& pass = most_recent(passes_, shape, kPasses);
  torch::Tensor counts;
  {
    const StageScope stage("network");
    run(pass, context, parts, batch.tensors);
    {
      const StageScope next("next images");
      Engine::prepare_waiting();
    }
    counts = pass.found.counts.cpu();
  }
  const auto* row = counts.const_data_ptr<int64_t>();
  std::vector<model::BoxDetections> found;
  for (int64_t n = 0; n < count; ++n) {
    const auto first = [&](const torch::Tensor& all) { return all[n].narrow(0, 0, row[3 * n]); };
    found.push_back(model::filtered({first(pass.found.boxes), first(pass.found.scores),
                                     first(pass.found.labels), row[3 * n + 1] != 0},
                                    filter));
  }
  const auto masks = model::detect_masks(
      context, parts, model::roi_levels(context.config, pass.levels), found, batch.sizes, poll);
  std::vector<model::Detections> detections;
  for (size_t i = 0; i < images.size(); ++i) {
    const model::ImageSize size{images[i].size(1), images[i].size(2)};
    // The next replay overwrites these.
    detections.push_back({model::resize_boxes(found[i].boxes, batch.sizes[i], size),
                          found[i].scores.clone(), found[i].labels.clone(), masks[i],
                          found[i].capped, row[3 * i + 2] != 0});
  }
  if (!pass.graph) {
    pass.levels.clear();
    pass.found = {};
  }
  return detections;
}

}  // namespace cellroute::infer
