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
  /** A pixel belongs to a cell if its probability exceeds this value. */
  double mask_threshold = 0.5;
  /** Smaller masks are dropped. In pixels. */
  uint32_t min_area = 0;
  /** Largest share of its pixels that a cell may lose to higher-scoring cells before it is
   *  dropped. Without a value, overlaps are kept. */
  std::optional<double> max_lost;
  /** Whether to return the seconds of each stage. */
  bool profile = false;

  bool operator==(const SegmentOptions&) const = default;
};

/** Copies an image's values to the GPU while the GPU computes something else. */
std::unique_ptr<cuda::StagedInput> prefetch_to_device(const io::Image& image,
                                                      const io::Intensity& intensity,
                                                      torch::Device device);

struct Input {
  const io::Image* image;
  /** The image's values if they were prefetched, otherwise null. */
  std::unique_ptr<cuda::StagedInput> ahead{};
};

/** Segments images of one size: intensities, network, pasting to runs, overlaps. */
std::vector<Cells> segment(MaskRcnnPlan& plan, std::vector<Input> images,
                           const SegmentOptions& options, const JobContext& poll);

}  // namespace cellroute::infer
