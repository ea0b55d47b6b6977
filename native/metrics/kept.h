#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "metrics/pairs.h"

namespace cellroute::metrics {

/** Which predictions the metrics without scores evaluate. */
struct KeepRule {
  /** Predictions with a lower score are excluded. */
  double min_score;
  /** Share of its pixels that a prediction may lose to higher-scoring ones before it is dropped.
   *  Without a value, overlaps are kept. */
  std::optional<double> max_lost;
};

/** Predictions by decreasing score, without overlaps if requested. None is empty. */
struct Kept {
  std::vector<uint32_t> source;  // index among the image's predictions
  std::vector<uint32_t> areas;
  Pairs pairs;
};

/** `all` holds the pairs of all predictions; only masks that lost pixels are compared again. */
Kept keep(std::span<const mask::RleView> masks, const mask::Shapes& shapes,
          std::span<const double> scores, const Pairs& all, const GroundTruthMasks& ground_truth,
          const KeepRule& rule);

}  // namespace cellroute::metrics
