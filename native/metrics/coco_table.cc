#include <algorithm>
#include <cmath>
#include <limits>

#include "metrics/coco.h"

namespace cellroute::metrics {
namespace {

constexpr int kRecalls = 101;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// numpy.spacing(1), which COCOeval adds to every denominator.
constexpr double kSpacing = std::numeric_limits<double>::epsilon();

/** numpy.linspace(0, 1, 101). */
double recall_threshold(int i) { return i == kRecalls - 1 ? 1 : i * 0.01; }

/** A true positive: the only place where recall grows. */
struct TruePositive {
  double count;  // true positives up to this one
  double precision;
};

/** Mean over the recall thresholds of the best precision at that recall or a higher one. */
double mean_precision(std::vector<TruePositive>& steps, double ground_truths) {
  for (size_t i = steps.size(); i > 1; --i) {
    steps[i - 2].precision = std::max(steps[i - 2].precision, steps[i - 1].precision);
  }
  double sum = 0;
  size_t next = 0;
  for (int i = 0; i < kRecalls; ++i) {
    while (next < steps.size() && steps[next].count / ground_truths < recall_threshold(i)) ++next;
    if (next == steps.size()) break;
    sum += steps[next].precision;
  }
  return sum / kRecalls;
}

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

CocoTable::CocoTable(std::span<const std::vector<CocoClass>> images) {
  for (const auto& image : images) {
    for (const auto& own : image) labels_.push_back(own.label);
  }
  std::sort(labels_.begin(), labels_.end());
  labels_.erase(std::unique(labels_.begin(), labels_.end()), labels_.end());
  classes_.resize(labels_.size());

  std::vector<std::vector<double>> scores(labels_.size());
  for (uint32_t p = 0; p < images.size(); ++p) {
    for (const auto& own : images[p]) {
      const auto k = static_cast<size_t>(
          std::lower_bound(labels_.begin(), labels_.end(), own.label) - labels_.begin());
      classes_[k].ground_truths.push_back({p, own.ground_truths});
      for (const auto& detection : own.detections) {
        classes_[k].detections.push_back({p, detection.matched, detection.ignored});
        scores[k].push_back(detection.score);
      }
    }
  }
  for (size_t k = 0; k < classes_.size(); ++k) {
    std::vector<uint32_t> order(scores[k].size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return scores[k][a] > scores[k][b]; });
    std::vector<Entry> sorted;
    sorted.reserve(order.size());
    for (const uint32_t i : order) sorted.push_back(classes_[k].detections[i]);
    classes_[k].detections = std::move(sorted);
  }
}

bool CocoTable::accumulate(const Class& own, std::span<const uint32_t> weights, int area,
                           Curve& curve) {
  uint64_t ground_truths = 0;
  for (const auto& [image, count] : own.ground_truths)
    ground_truths += uint64_t{weights[image]} * count[area];
  if (ground_truths == 0) return false;
  std::array<double, kThresholds> true_positives{}, false_positives{};
  thread_local std::array<std::vector<TruePositive>, kThresholds> steps;
  for (auto& one : steps) one.clear();
  for (const auto& detection : own.detections) {
    const uint32_t weight = weights[detection.image];
    if (weight == 0) continue;
    for (int t = 0; t < kThresholds; ++t) {
      if ((detection.ignored[area] >> t & 1) != 0) continue;
      if ((detection.matched[area] >> t & 1) != 0) {
        // Once for all copies: of equal entries in a row, the last has the best precision.
        true_positives[t] += weight;
        steps[t].push_back({true_positives[t], true_positives[t] / (false_positives[t] +
                                                                    true_positives[t] + kSpacing)});
      } else {
        false_positives[t] += weight;
      }
    }
  }
  for (int t = 0; t < kThresholds; ++t) {
    curve.recall[t] = true_positives[t] / static_cast<double>(ground_truths);
    curve.precision[t] = mean_precision(steps[t], static_cast<double>(ground_truths));
  }
  return true;
}

CocoScores CocoTable::mean_of(std::span<const Class> classes, std::span<const uint32_t> weights,
                              int areas) {
  CocoScores scores{};
  scores.ap.fill(kNan);
  scores.ar.fill(kNan);
  scores.ap50 = scores.ap75 = kNan;
  for (int area = 0; area < areas; ++area) {
    double ap = 0, ap50 = 0, ap75 = 0, ar = 0;
    int present = 0;
    for (const auto& own : classes) {
      Curve curve;
      if (!accumulate(own, weights, area, curve)) continue;
      ++present;
      ap += mean(curve.precision);
      ar += mean(curve.recall);
      ap50 += curve.precision[0];
      ap75 += curve.precision[5];
    }
    if (present == 0) continue;
    scores.ap[area] = ap / present;
    scores.ar[area] = ar / present;
    if (area == 0) {
      scores.ap50 = ap50 / present;
      scores.ap75 = ap75 / present;
    }
  }
  return scores;
}

CocoScores CocoTable::scores(std::span<const uint32_t> weights, bool sizes) const {
  return mean_of(classes_, weights, sizes ? kAreaRanges : 1);
}

CocoScores CocoTable::scores_of(size_t class_index, std::span<const uint32_t> weights) const {
  return mean_of(std::span(classes_).subspan(class_index, 1), weights, kAreaRanges);
}

uint64_t CocoTable::ground_truths_of(size_t class_index, std::span<const uint32_t> weights) const {
  uint64_t ground_truths = 0;
  for (const auto& [image, count] : classes_[class_index].ground_truths) {
    ground_truths += uint64_t{weights[image]} * count[0];
  }
  return ground_truths;
}

}  // namespace cellroute::metrics
