#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/job.h"
#include "engine/profile.h"
#include "infer/mask_rcnn_plan.h"
#include "io/pixels.h"
#include "mask/rle.h"

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

/** The cells of one picture by falling score, in pixels of the picture as it came. */
struct Cells {
  std::vector<float> boxes;  // [4 n], x1 y1 x2 y2
  std::vector<float> scores;
  std::vector<int32_t> labels;
  std::vector<uint32_t> areas;
  std::vector<mask::Rle> masks;
  bool detections_capped = false;
  bool proposals_capped = false;
  /** Of all pictures of the call together; empty where it was not asked for. */
  Profile profile;
};

/** Pictures of one size to their cells: intensities, network, paste to runs, overlaps. */
std::vector<Cells> segment(MaskRcnnPlan& plan, const std::vector<const io::Picture*>& pictures,
                           const SegmentOptions& options, const Poll& poll);

}  // namespace cellroute::infer
