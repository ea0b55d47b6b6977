#pragma once

#include <torch/types.h>

#include <functional>

namespace cellroute::train {

/** torchvision's Matcher: assigns each candidate (anchor or proposal) to a ground-truth cell. */
struct MatchOptions {
  double high_threshold;  // a candidate with at least this quality is matched
  double low_threshold;   // a candidate below it is background; in between it is ignored
  /** Whether the best candidates of every cell, including ties, are matched even at low quality.
   *  As in torchvision they are then assigned to the cell that is best for them, and a cell that
   *  overlaps no candidate has all those it does not overlap as its best. */
  bool allow_low_quality_matches;
};

inline constexpr int64_t kBelowLowThreshold = -1;
inline constexpr int64_t kBetweenThresholds = -2;

/** Writes the quality (IoU) of one ground-truth cell with the candidates begin..end, or returns
 *  false if all are 0. Called from several threads. */
using MatchQuality =
    std::function<bool(int64_t ground_truth, int64_t begin, int64_t end, float* quality)>;

/** The index of each candidate's cell, or one of the negative values above: int64 [candidates].
 *  There must be at least one cell. Qualities are computed for one tile of candidates at a time,
 *  twice if low-quality matches are allowed, so the whole matrix never exists. Of equal cells
 *  the first wins. */
torch::Tensor match(int64_t ground_truths, int64_t candidates, const MatchQuality& quality,
                    const MatchOptions& options);

/** The same with the IoU of boxes as quality: ground truth [N, 4] and candidates [M, 4] float32,
 *  all finite, ground-truth boxes with positive area. */
torch::Tensor match_boxes(const torch::Tensor& ground_truths, const torch::Tensor& candidates,
                          const MatchOptions& options);

}  // namespace cellroute::train
