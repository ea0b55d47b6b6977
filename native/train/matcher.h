#pragma once

#include <torch/torch.h>

#include <functional>

namespace cellroute::train {

/** torchvision's Matcher: which truth each candidate (anchor, proposal) belongs to. */
struct MatchOptions {
  double high_threshold;  // from this quality on a candidate is matched
  double low_threshold;   // below it a candidate is background; between the two it is neither
  /** Whether the best candidates of every truth, ties included, are matched however bad they are.
   *  As in torchvision they then go to the truth that is best for them, and a truth that meets no
   *  candidate at all has all those it does not meet for its best. */
  bool allow_low_quality_matches;
};

inline constexpr int64_t kBelowLowThreshold = -1;
inline constexpr int64_t kBetweenThresholds = -2;

/** Writes the quality (IoU) of one truth with the candidates begin..end, or returns false where all
 *  of them are 0. Called from several threads. */
using MatchQuality = std::function<bool(int64_t truth, int64_t begin, int64_t end, float* quality)>;

/** For each candidate the index of its truth, or one of the negative values above: int64
 *  [candidates]. There is at least one truth. Qualities are asked for a tile of candidates at a
 *  time, twice where low-quality matches are allowed: a whole matrix never exists. Among equals the
 *  first truth wins. */
torch::Tensor match(int64_t truths, int64_t candidates, const MatchQuality& quality,
                    const MatchOptions& options);

/** The same with the IoU of boxes as quality: truths [N, 4] and candidates [M, 4] float32, all
 *  finite, truths of positive area. */
torch::Tensor match_boxes(const torch::Tensor& truths, const torch::Tensor& candidates,
                          const MatchOptions& options);

}  // namespace cellroute::train
