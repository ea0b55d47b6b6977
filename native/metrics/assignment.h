#pragma once

#include <cstdint>
#include <vector>

namespace cellroute::metrics {

/** A prediction and a truth that may be paired. */
struct Edge {
  uint32_t prediction;
  uint32_t truth;
  double iou;
};

/** The most pairs there can be in which nothing occurs twice, and of those with as many the ones
 *  with the largest sum of IoUs: scipy's linear_sum_assignment as stardist's matching() uses it,
 *  over the edges alone. `edges` come by rising prediction; returned are indices of them. */
std::vector<uint32_t> assign(const std::vector<Edge>& edges);

}  // namespace cellroute::metrics
