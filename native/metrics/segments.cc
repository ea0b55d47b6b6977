#include "metrics/segments.h"

#include <algorithm>
#include <map>

#include "metrics/assignment.h"

namespace cellroute::metrics {
namespace {

class Segments {
 public:
  Segments(const Kept& kept, std::span<const int32_t> labels,
           const SegmentGroundTruth& ground_truth)
      : kept_(kept),
        labels_(labels),
        ground_truth_(ground_truth),
        in_crowd_(kept.source.size(), 0) {
    for (size_t p = 0; p < size(); ++p) {
      for (const auto& pair : kept.pairs.row(p)) {
        if (is_crowd(pair.ground_truth) && pair.iou > 0.5) in_crowd_[p] = 1;
      }
    }
  }

  SegmentScores scores(double iou) const {
    SegmentScores scores;
    for (size_t g = 0; g < ground_truth_.areas.size(); ++g)
      scores.ground_truths += is_crowd(g) ? 0 : 1;
    score_kaggle(scores);
    score_detections(iou, scores);
    score_panoptic(scores);
    score_aji(scores);
    return scores;
  }

 private:
  size_t size() const { return kept_.source.size(); }
  bool is_crowd(size_t g) const {
    return !ground_truth_.crowd.empty() && ground_truth_.crowd[g] != 0;
  }

  /** Calls fn(prediction, pair) for every pair whose ground truth is not a crowd. */
  template <class F>
  void for_each_pair(F&& fn) const {
    for (uint32_t p = 0; p < size(); ++p) {
      for (const auto& pair : kept_.pairs.row(p)) {
        if (!is_crowd(pair.ground_truth)) fn(p, pair);
      }
    }
  }

  void score_kaggle(SegmentScores& scores) const {
    std::vector<double> best_ground_truth(size(), 0),
        best_prediction(ground_truth_.areas.size(), 0);
    for_each_pair([&](uint32_t p, const Pair& pair) {
      best_ground_truth[p] = std::max(best_ground_truth[p], pair.iou);
      best_prediction[pair.ground_truth] = std::max(best_prediction[pair.ground_truth], pair.iou);
    });
    for (int t = 0; t < kThresholds; ++t) {
      uint32_t true_positives = 0, wrong = 0;
      for (size_t p = 0; p < size(); ++p) {
        const bool is_match = best_ground_truth[p] > kKaggleThresholds[t];
        true_positives += is_match ? 1 : 0;
        wrong += is_match || in_crowd_[p] ? 0 : 1;
      }
      for (size_t g = 0; g < ground_truth_.areas.size(); ++g) {
        wrong += is_crowd(g) || best_prediction[g] > kKaggleThresholds[t] ? 0 : 1;
      }
      scores.precision[t] = true_positives + wrong == 0
                                ? 1
                                : static_cast<double>(true_positives) / (true_positives + wrong);
      scores.kaggle += scores.precision[t];
    }
    scores.kaggle /= kThresholds;
  }

  void score_detections(double iou, SegmentScores& scores) const {
    std::vector<Edge> edges;
    for_each_pair([&](uint32_t p, const Pair& pair) {
      if (pair.iou >= iou) edges.push_back({p, pair.ground_truth, pair.iou});
    });
    std::vector<uint8_t> matched(size(), 0);
    for (const uint32_t edge : assign(edges)) {
      matched[edges[edge].prediction] = 1;
      ++scores.true_positives;
    }
    for (size_t p = 0; p < size(); ++p)
      scores.false_positives += matched[p] || in_crowd_[p] ? 0 : 1;
    scores.false_negatives = scores.ground_truths - scores.true_positives;
    scores.predictions = scores.true_positives + scores.false_positives;
  }

  void score_panoptic(SegmentScores& scores) const {
    std::vector<Edge> edges;
    for_each_pair([&](uint32_t p, const Pair& pair) {
      const bool same = labels_[kept_.source[p]] == ground_truth_.labels[pair.ground_truth];
      if (same && pair.iou > 0.5) edges.push_back({p, pair.ground_truth, pair.iou});
    });
    std::map<int32_t, PanopticClass> classes;
    const auto of = [&](int32_t label) -> PanopticClass& {
      return classes.try_emplace(label, PanopticClass{.label = label}).first->second;
    };
    std::vector<uint8_t> matched(size(), 0), found(ground_truth_.areas.size(), 0);
    for (const uint32_t index : assign(edges)) {
      const auto& edge = edges[index];
      auto& own = of(ground_truth_.labels[edge.ground_truth]);
      ++own.true_positives;
      own.iou_sum += edge.iou;
      matched[edge.prediction] = found[edge.ground_truth] = 1;
    }
    for (size_t p = 0; p < size(); ++p) {
      if (!matched[p] && !in_crowd_[p]) ++of(labels_[kept_.source[p]]).false_positives;
    }
    for (size_t g = 0; g < ground_truth_.areas.size(); ++g) {
      if (!found[g] && !is_crowd(g)) ++of(ground_truth_.labels[g]).false_negatives;
    }
    for (const auto& [label, own] : classes) scores.panoptic.push_back(own);
  }

  void score_aji(SegmentScores& scores) const {
    struct Choice {
      double iou = 0;
      uint32_t prediction = 0;
      uint32_t common = 0;
    };
    std::vector<Choice> choices(ground_truth_.areas.size());
    for_each_pair([&](uint32_t p, const Pair& pair) {
      auto& choice = choices[pair.ground_truth];
      if (pair.iou > choice.iou) choice = {pair.iou, p, pair.common};
    });
    std::vector<uint8_t> chosen(size(), 0);
    uint64_t common = 0, union_area = 0;
    for (size_t g = 0; g < choices.size(); ++g) {
      if (is_crowd(g)) continue;
      union_area += ground_truth_.areas[g];
      const auto& choice = choices[g];
      if (choice.common == 0) continue;
      common += choice.common;
      union_area += kept_.areas[choice.prediction] - choice.common;
      chosen[choice.prediction] = 1;
    }
    for (size_t p = 0; p < size(); ++p)
      union_area += chosen[p] || in_crowd_[p] ? 0 : kept_.areas[p];
    scores.aji =
        union_area == 0 ? 1 : static_cast<double>(common) / static_cast<double>(union_area);
  }

  const Kept& kept_;
  std::span<const int32_t> labels_;
  const SegmentGroundTruth& ground_truth_;
  std::vector<uint8_t> in_crowd_;
};

}  // namespace

SegmentScores score_segments(const Kept& kept, std::span<const int32_t> labels,
                             const SegmentGroundTruth& ground_truth, double iou) {
  return Segments(kept, labels, ground_truth).scores(iou);
}

}  // namespace cellroute::metrics
