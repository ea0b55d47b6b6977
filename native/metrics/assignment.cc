#include "metrics/assignment.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <span>
#include <utility>

namespace cellroute::metrics {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

/** Successive shortest augmenting paths with potentials, over the given edges. A prediction may
 *  stay unmatched at a price that no gain in IoU can compensate. */
class Assignment {
 public:
  explicit Assignment(const std::vector<Edge>& edges) : edges_(edges) {
    uint32_t ground_truths = 0;
    for (uint32_t i = 0; i < edges.size(); ++i) {
      if (i == 0 || edges[i].prediction != edges[i - 1].prediction) rows_.push_back(i);
      ground_truths = std::max(ground_truths, edges[i].ground_truth + 1);
    }
    ends_.assign(rows_.begin() + (rows_.empty() ? 0 : 1), rows_.end());
    if (!rows_.empty()) ends_.push_back(static_cast<uint32_t>(edges.size()));
    alone_ = static_cast<double>(rows_.size()) + 1;
    edge_of_.assign(rows_.size(), kNone);
    row_of_.assign(ground_truths, kNone);
    row_price_.assign(rows_.size(), 0);
    column_price_.assign(ground_truths, 0);
    distance_.assign(ground_truths, kFar);
    from_.assign(ground_truths, kNone);
    done_.assign(ground_truths, 0);
  }

  std::vector<uint32_t> solve() {
    for (uint32_t row = 0; row < rows_.size(); ++row) augment(row);
    std::vector<uint32_t> chosen;
    for (const uint32_t edge : edge_of_) {
      if (edge != kNone) chosen.push_back(edge);
    }
    return chosen;
  }

 private:
  static constexpr double kFar = std::numeric_limits<double>::infinity();
  using Reached = std::pair<double, uint32_t>;  // distance, ground-truth cell

  double cost(uint32_t edge) const {
    return 1 - edges_[edge].iou - column_price_[edges_[edge].ground_truth];
  }

  /** Dijkstra's algorithm from one row to the nearest free ground-truth cell, or to the nearest
   *  row that may stay unmatched. */
  void augment(uint32_t start) {
    std::priority_queue<Reached, std::vector<Reached>, std::greater<>> reached;
    std::vector<uint32_t> touched;
    std::vector<std::pair<uint32_t, double>> rows;  // row, distance
    double best = kFar;
    uint32_t free_ground_truth = kNone, lone_row = kNone;
    const auto visit = [&](uint32_t row, double at) {
      rows.emplace_back(row, at);
      if (at + alone_ - row_price_[row] < best) {
        best = at + alone_ - row_price_[row];
        lone_row = row;
        free_ground_truth = kNone;
      }
      for (uint32_t edge = rows_[row]; edge < ends_[row]; ++edge) {
        const uint32_t ground_truth = edges_[edge].ground_truth;
        const double to = at + cost(edge) - row_price_[row];
        if (done_[ground_truth] || to >= distance_[ground_truth]) continue;
        if (distance_[ground_truth] == kFar) touched.push_back(ground_truth);
        distance_[ground_truth] = to;
        from_[ground_truth] = edge;
        reached.emplace(to, ground_truth);
      }
    };
    // Its price is chosen so that its cheapest edge has reduced cost 0.
    row_price_[start] = alone_;
    for (uint32_t edge = rows_[start]; edge < ends_[start]; ++edge) {
      row_price_[start] = std::min(row_price_[start], cost(edge));
    }
    visit(start, 0);
    while (!reached.empty()) {
      const auto [at, ground_truth] = reached.top();
      reached.pop();
      if (at >= best) break;
      if (done_[ground_truth] || at > distance_[ground_truth]) continue;
      done_[ground_truth] = 1;
      if (row_of_[ground_truth] == kNone) {
        best = at;
        free_ground_truth = ground_truth;
        lone_row = kNone;
        break;
      }
      visit(row_of_[ground_truth], at);
    }
    for (const auto& [row, at] : rows) row_price_[row] += best - at;
    for (const uint32_t ground_truth : touched) {
      if (done_[ground_truth] && distance_[ground_truth] < best)
        column_price_[ground_truth] -= best - distance_[ground_truth];
    }
    take(start, lone_row, free_ground_truth);
    for (const uint32_t ground_truth : touched) {
      distance_[ground_truth] = kFar;
      done_[ground_truth] = 0;
    }
  }

  /** Inverts the edges of the path, from its end to `start`. */
  void take(uint32_t start, uint32_t lone_row, uint32_t ground_truth) {
    if (lone_row == start) return;
    if (lone_row != kNone) {
      ground_truth = edges_[edge_of_[lone_row]].ground_truth;
      edge_of_[lone_row] = kNone;
    }
    while (true) {
      const uint32_t edge = from_[ground_truth];
      const uint32_t row = row_at(edge);
      const uint32_t before = edge_of_[row];
      edge_of_[row] = edge;
      row_of_[ground_truth] = row;
      if (row == start) return;
      ground_truth = edges_[before].ground_truth;
    }
  }

  uint32_t row_at(uint32_t edge) const {
    const auto after = std::upper_bound(rows_.begin(), rows_.end(), edge);
    return static_cast<uint32_t>(after - rows_.begin()) - 1;
  }

  const std::vector<Edge>& edges_;
  std::vector<uint32_t> rows_;  // first edge of each prediction
  std::vector<uint32_t> ends_;
  double alone_ = 0;
  std::vector<uint32_t> edge_of_;  // by row
  std::vector<uint32_t> row_of_;   // by ground-truth cell
  std::vector<double> row_price_;
  std::vector<double> column_price_;
  std::vector<double> distance_;  // by ground-truth cell, within one search
  std::vector<uint32_t> from_;
  std::vector<uint8_t> done_;
};

}  // namespace

std::vector<uint32_t> assign(const std::vector<Edge>& edges) { return Assignment(edges).solve(); }

}  // namespace cellroute::metrics
