#pragma once

#include <cstdint>
#include <vector>

namespace cellroute::metrics {

/** A prediction and a ground-truth cell that may be matched. */
struct Edge {
  uint32_t prediction;
  uint32_t ground_truth;
  double iou;
};

/** A matching with the largest number of pairs and, among those, the largest sum of IoUs. Equals
 *  scipy's linear_sum_assignment as stardist's matching() uses it, restricted to the given
 *  edges. `edges` are sorted by prediction; returns indices of edges. */
std::vector<uint32_t> assign(const std::vector<Edge>& edges);

}  // namespace cellroute::metrics
