#include <algorithm>
#include <limits>
#include <numeric>

#include "metrics/coco.h"

namespace cellroute::metrics {
namespace {

struct AreaRange {
  double low;
  double high;

  bool holds(double area) const { return area >= low && area <= high; }
};

constexpr std::array<AreaRange, kAreaRanges> kRanges{
    {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}};

constexpr uint32_t kNoGroundTruth = std::numeric_limits<uint32_t>::max();

/** Indices by label, then by decreasing score if there are scores, otherwise in the given order. */
std::vector<uint32_t> by_label(std::span<const int32_t> labels, std::span<const double> scores) {
  std::vector<uint32_t> order(labels.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if (labels[a] != labels[b]) return labels[a] < labels[b];
    return !scores.empty() && scores[a] > scores[b];
  });
  return order;
}

/** The part of an order by label that has one label; `from` moves behind it. */
std::span<const uint32_t> take_label(std::span<const uint32_t> order,
                                     std::span<const int32_t> labels, int32_t label, size_t& from) {
  const size_t begin = from;
  while (from < order.size() && labels[order[from]] == label) ++from;
  return order.subspan(begin, from - begin);
}

/** Matches the detections of one class for each area range and threshold. */
class Matcher {
 public:
  Matcher(const Pairs& pairs, const CocoImage& image) : pairs_(pairs), image_(image) {
    ignored_.resize(image.ground_truth_labels.size());
    taken_.resize(image.ground_truth_labels.size());
  }

  CocoClass match(int32_t label, std::span<const uint32_t> detections,
                  std::span<const uint32_t> ground_truths) {
    CocoClass result{label, {}, {}};
    result.detections.reserve(detections.size());
    for (const uint32_t d : detections) result.detections.push_back({image_.scores[d], {}, {}});
    find_candidates(label, detections);
    for (int area = 0; area < kAreaRanges; ++area) {
      for (const uint32_t g : ground_truths) {
        ignored_[g] = is_crowd(g) || !kRanges[area].holds(image_.ground_truth_areas[g]);
        result.ground_truths[area] += ignored_[g] ? 0 : 1;
        taken_[g] = 0;
      }
      for (size_t i = 0; i < detections.size(); ++i) {
        match_detection(i, area, kRanges[area].holds(image_.areas[detections[i]]),
                        result.detections[i]);
      }
    }
    return result;
  }

 private:
  bool is_crowd(uint32_t ground_truth) const {
    return !image_.crowd.empty() && image_.crowd[ground_truth] != 0;
  }

  /** Pairs of this class that pass the lowest threshold. */
  void find_candidates(int32_t label, std::span<const uint32_t> detections) {
    candidates_.clear();
    offsets_.assign(1, 0);
    for (const uint32_t d : detections) {
      for (const auto& pair : pairs_.row(d)) {
        if (image_.ground_truth_labels[pair.ground_truth] == label &&
            pair.iou >= kCocoThresholds[0]) {
          candidates_.push_back(pair);
        }
      }
      offsets_.push_back(candidates_.size());
    }
  }

  void match_detection(size_t index, int area, bool in_range, CocoDetection& detection) {
    const auto candidates =
        std::span(candidates_).subspan(offsets_[index], offsets_[index + 1] - offsets_[index]);
    for (int t = 0; t < kThresholds; ++t) {
      const auto bit = static_cast<uint16_t>(1 << t);
      // Ignored ground truth comes last and is used only if nothing else matches.
      uint32_t best = best_of(candidates, bit, kCocoThresholds[t], false);
      if (best == kNoGroundTruth) best = best_of(candidates, bit, kCocoThresholds[t], true);
      if (best != kNoGroundTruth) {
        taken_[best] |= bit;
        detection.matched[area] |= bit;
      }
      if (best == kNoGroundTruth ? !in_range : ignored_[best] != 0) detection.ignored[area] |= bit;
    }
  }

  /** Of equal candidates the last, as in COCOeval. A crowd may be matched several times. */
  uint32_t best_of(std::span<const Pair> candidates, uint16_t bit, double threshold,
                   bool ignored) const {
    double min_iou = std::min(threshold, 1 - 1e-10);
    uint32_t best = kNoGroundTruth;
    for (const auto& pair : candidates) {
      if ((ignored_[pair.ground_truth] != 0) != ignored || pair.iou < min_iou) continue;
      if ((taken_[pair.ground_truth] & bit) != 0 && !is_crowd(pair.ground_truth)) continue;
      min_iou = pair.iou;
      best = pair.ground_truth;
    }
    return best;
  }

  const Pairs& pairs_;
  const CocoImage& image_;
  std::vector<uint8_t> ignored_;  // by ground-truth object
  std::vector<uint16_t> taken_;   // by ground-truth object: one bit per threshold
  std::vector<Pair> candidates_;  // in the order of detections
  std::vector<size_t> offsets_;
};

}  // namespace

std::vector<CocoClass> match_coco(const Pairs& pairs, const CocoImage& image, uint64_t max_dets) {
  const auto detections = by_label(image.labels, image.scores);
  const auto ground_truths = by_label(image.ground_truth_labels, {});
  Matcher matcher(pairs, image);
  std::vector<CocoClass> classes;
  size_t d = 0, g = 0;
  while (d < detections.size() || g < ground_truths.size()) {
    int32_t label = std::numeric_limits<int32_t>::max();
    if (d < detections.size()) label = std::min(label, image.labels[detections[d]]);
    if (g < ground_truths.size())
      label = std::min(label, image.ground_truth_labels[ground_truths[g]]);
    auto own = take_label(detections, image.labels, label, d);
    own = own.first(std::min<uint64_t>(own.size(), max_dets));
    classes.push_back(
        matcher.match(label, own, take_label(ground_truths, image.ground_truth_labels, label, g)));
  }
  return classes;
}

}  // namespace cellroute::metrics
