#include "metrics/segments.h"

#include <algorithm>
#include <map>

#include "metrics/assignment.h"

namespace cellroute::metrics {
namespace {

class Segments {
 public:
  Segments(const Kept& kept, std::span<const int32_t> labels, const SegmentTruth& truth)
      : kept_(kept), labels_(labels), truth_(truth), in_crowd_(kept.source.size(), 0) {
    for (size_t p = 0; p < size(); ++p) {
      for (const auto& pair : kept.pairs.row(p)) {
        if (is_crowd(pair.truth) && pair.iou > 0.5) in_crowd_[p] = 1;
      }
    }
  }

  SegmentScores scores(double iou) const {
    SegmentScores scores;
    for (size_t g = 0; g < truth_.areas.size(); ++g) scores.truths += is_crowd(g) ? 0 : 1;
    score_kaggle(scores);
    score_hits(iou, scores);
    score_panoptic(scores);
    score_aji(scores);
    return scores;
  }

 private:
  size_t size() const { return kept_.source.size(); }
  bool is_crowd(size_t g) const { return !truth_.crowd.empty() && truth_.crowd[g] != 0; }

  /** Calls fn(prediction, pair) for every pair whose ground truth is not a crowd. */
  template <class F>
  void for_each_pair(F&& fn) const {
    for (uint32_t p = 0; p < size(); ++p) {
      for (const auto& pair : kept_.pairs.row(p)) {
        if (!is_crowd(pair.truth)) fn(p, pair);
      }
    }
  }

  void score_kaggle(SegmentScores& scores) const {
    std::vector<double> best_truth(size(), 0), best_prediction(truth_.areas.size(), 0);
    for_each_pair([&](uint32_t p, const Pair& pair) {
      best_truth[p] = std::max(best_truth[p], pair.iou);
      best_prediction[pair.truth] = std::max(best_prediction[pair.truth], pair.iou);
    });
    for (int t = 0; t < kThresholds; ++t) {
      uint32_t hits = 0, wrong = 0;
      for (size_t p = 0; p < size(); ++p) {
        const bool hit = best_truth[p] > kKaggleThresholds[t];
        hits += hit ? 1 : 0;
        wrong += hit || in_crowd_[p] ? 0 : 1;
      }
      for (size_t g = 0; g < truth_.areas.size(); ++g) {
        wrong += is_crowd(g) || best_prediction[g] > kKaggleThresholds[t] ? 0 : 1;
      }
      scores.precision[t] = hits + wrong == 0 ? 1 : static_cast<double>(hits) / (hits + wrong);
      scores.kaggle += scores.precision[t];
    }
    scores.kaggle /= kThresholds;
  }

  void score_hits(double iou, SegmentScores& scores) const {
    std::vector<Edge> edges;
    for_each_pair([&](uint32_t p, const Pair& pair) {
      if (pair.iou >= iou) edges.push_back({p, pair.truth, pair.iou});
    });
    std::vector<uint8_t> hit(size(), 0);
    for (const uint32_t edge : assign(edges)) {
      hit[edges[edge].prediction] = 1;
      ++scores.hits;
    }
    for (size_t p = 0; p < size(); ++p) scores.false_alarms += hit[p] || in_crowd_[p] ? 0 : 1;
    scores.misses = scores.truths - scores.hits;
    scores.predictions = scores.hits + scores.false_alarms;
  }

  void score_panoptic(SegmentScores& scores) const {
    std::vector<Edge> edges;
    for_each_pair([&](uint32_t p, const Pair& pair) {
      const bool same = labels_[kept_.source[p]] == truth_.labels[pair.truth];
      if (same && pair.iou > 0.5) edges.push_back({p, pair.truth, pair.iou});
    });
    std::map<int32_t, PanopticClass> classes;
    const auto of = [&](int32_t label) -> PanopticClass& {
      return classes.try_emplace(label, PanopticClass{.label = label}).first->second;
    };
    std::vector<uint8_t> hit(size(), 0), found(truth_.areas.size(), 0);
    for (const uint32_t index : assign(edges)) {
      const auto& edge = edges[index];
      auto& own = of(truth_.labels[edge.truth]);
      ++own.hits;
      own.iou_sum += edge.iou;
      hit[edge.prediction] = found[edge.truth] = 1;
    }
    for (size_t p = 0; p < size(); ++p) {
      if (!hit[p] && !in_crowd_[p]) ++of(labels_[kept_.source[p]]).false_alarms;
    }
    for (size_t g = 0; g < truth_.areas.size(); ++g) {
      if (!found[g] && !is_crowd(g)) ++of(truth_.labels[g]).misses;
    }
    for (const auto& [label, own] : classes) scores.panoptic.push_back(own);
  }

  void score_aji(SegmentScores& scores) const {
    struct Choice {
      double iou = 0;
      uint32_t prediction = 0;
      uint32_t common = 0;
    };
    std::vector<Choice> choices(truth_.areas.size());
    for_each_pair([&](uint32_t p, const Pair& pair) {
      auto& choice = choices[pair.truth];
      if (pair.iou > choice.iou) choice = {pair.iou, p, pair.common};
    });
    std::vector<uint8_t> chosen(size(), 0);
    uint64_t common = 0, together = 0;
    for (size_t g = 0; g < choices.size(); ++g) {
      if (is_crowd(g)) continue;
      together += truth_.areas[g];
      const auto& choice = choices[g];
      if (choice.common == 0) continue;
      common += choice.common;
      together += kept_.areas[choice.prediction] - choice.common;
      chosen[choice.prediction] = 1;
    }
    for (size_t p = 0; p < size(); ++p) together += chosen[p] || in_crowd_[p] ? 0 : kept_.areas[p];
    scores.aji = together == 0 ? 1 : static_cast<double>(common) / static_cast<double>(together);
  }

  const Kept& kept_;
  std::span<const int32_t> labels_;
  const SegmentTruth& truth_;
  std::vector<uint8_t> in_crowd_;
};

}  // namespace

SegmentScores score_segments(const Kept& kept, std::span<const int32_t> labels,
                             const SegmentTruth& truth, double iou) {
  return Segments(kept, labels, truth).scores(iou);
}

}  // namespace cellroute::metrics
