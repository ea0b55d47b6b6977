#pragma once

#include <cstdint>
#include <optional>
#include <vector>

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
  /** Share of its pixels a cell may lose to better ones before it is dropped; none leaves overlaps.
   */
  std::optional<double> max_lost;
  /** Whether the cells come with the seconds that each stage took. */
  bool profile = false;
};

/** Pictures of one size to their cells: intensities, network, paste to runs, overlaps. */
std::vector<Cells> segment(MaskRcnnPlan& plan, const std::vector<const io::Picture*>& pictures,
                           const SegmentOptions& options, const Poll& poll);

}  // namespace cellroute::infer
