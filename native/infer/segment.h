#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/cuda/staged_input.h"
#include "engine/job.h"
#include "engine/profile.h"
#include "infer/cells.h"
#include "infer/mask_rcnn_plan.h"
#include "io/pixels.h"

namespace cellroute::infer {

struct SegmentOptions {
  io::Intensity intensity;
  model::DetectOptions detect;
  /** A pixel belongs to a cell where its probability is above this. */
  double mask_threshold = 0.5;
  /** Pixels; smaller masks are dropped. */
  uint32_t min_area = 0;
  /** Share of its pixels per cell may lose to better ones before it is dropped; none leaves
   * overlaps.
   */
  std::optional<double> max_lost;
  /** Whether the cells come with the seconds that each stage took. */
  bool profile = false;
};

/** Sends an image's values to the GPU while that computes something else. */
std::unique_ptr<cuda::StagedInput> prefetch_to_device(const io::Image& image,
                                                      const io::Intensity& intensity,
                                                      torch::Device device);

struct Input {
  const io::Image* image;
  /** The image's values where they were sent ahead, else null. */
  std::unique_ptr<cuda::StagedInput> ahead{};
};

/** Images of one size to their cells: intensities, network, paste to runs, overlaps. */
std::vector<Cells> segment(MaskRcnnPlan& plan, std::vector<Input> images,
                           const SegmentOptions& options, const JobContext& poll);

}  // namespace cellroute::infer
