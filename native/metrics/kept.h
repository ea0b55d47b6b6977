#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "metrics/pairs.h"

namespace cellroute::metrics {

/** Which predictions are judged by the metrics that know no score. */
struct KeepRule {
  /** Those that score below are left out. */
  double min_score;
  /** Share of its pixels a prediction may lose to better ones before it is dropped; no value leaves
   *  overlaps. */
  std::optional<double> max_lost;
};

/** Predictions by falling score, without overlaps where the rule says so, and none empty. */
struct Kept {
  std::vector<uint32_t> source;  // which of the image's predictions
  std::vector<uint32_t> areas;
  Pairs pairs;
};

/** `all` are the pairs of all predictions: only a mask that lost pixels is compared again. */
Kept keep(std::span<const mask::RleView> masks, const mask::Shapes& shapes,
          std::span<const double> scores, const Pairs& all, const TruthMasks& truth,
          const KeepRule& rule);

}  // namespace cellroute::metrics
