#include "metrics/summary.h"

#include <cmath>
#include <limits>
#include <map>
#include <tuple>

namespace cellroute::metrics {
namespace {

constexpr size_t index_of(std::string_view name) {
  size_t i = 0;
  while (kMetricNames[i] != name) ++i;
  return i;
}

constexpr Summary kUnknown = [] {
  Summary summary{};
  summary.fill(std::numeric_limits<double>::quiet_NaN());
  return summary;
}();

/** Writes a summary's numbers in the order of their names. */
class Writer {
 public:
  Writer(Summary& summary, size_t from) : summary_(summary), next_(from) {}
  void operator()(double value) { summary_[next_++] = value; }

 private:
  Summary& summary_;
  size_t next_;
};

void write_coco(const CocoScores& scores, Writer& write) {
  for (const double ap : scores.ap) write(ap);
  write(scores.ap50);
  write(scores.ap75);
  for (const double ar : scores.ar) write(ar);
}

/** 1 if there is no ground truth and no prediction. */
double ratio(double part, double whole, bool nothing) {
  if (nothing) return 1;
  return whole == 0 ? 0 : part / whole;
}

struct Totals {
  double images = 0;
  double kaggle = 0;
  std::array<double, kThresholds> precision{};
  double true_positives = 0, false_positives = 0, false_negatives = 0;
  double aji = 0;
  double ground_truths = 0, count_bias = 0, count_absolute = 0;
  std::map<int32_t, PanopticClass> panoptic;

  void add(const SegmentScores& scores, uint32_t weight) {
    images += weight;
    kaggle += weight * scores.kaggle;
    for (int t = 0; t < kThresholds; ++t) precision[t] += weight * scores.precision[t];
    true_positives += weight * static_cast<double>(scores.true_positives);
    false_positives += weight * static_cast<double>(scores.false_positives);
    false_negatives += weight * static_cast<double>(scores.false_negatives);
    aji += weight * scores.aji;
    ground_truths += weight * static_cast<double>(scores.ground_truths);
    const double error = static_cast<double>(scores.predictions) - scores.ground_truths;
    count_bias += weight * error;
    count_absolute += weight * std::abs(error);
    for (const auto& own : scores.panoptic) {
      auto& sums = panoptic[own.label];
      sums.true_positives += weight * own.true_positives;
      sums.false_positives += weight * own.false_positives;
      sums.false_negatives += weight * own.false_negatives;
      sums.iou_sum += weight * own.iou_sum;
    }
  }
};

/** pq, sq, rq. */
std::array<double, 3> qualities_of(const PanopticClass& sums) {
  const double true_positives = sums.true_positives;
  const double half_errors = 0.5 * sums.false_positives + 0.5 * sums.false_negatives;
  const bool nothing = true_positives + half_errors == 0;
  return {ratio(sums.iou_sum, true_positives + half_errors, nothing),
          ratio(sums.iou_sum, true_positives, nothing),
          ratio(true_positives, true_positives + half_errors, nothing)};
}

/** The mean over the classes that occur. */
std::array<double, 3> mean_panoptic(const Totals& totals) {
  std::array<double, 3> sums{};
  for (const auto& [label, own] : totals.panoptic) {
    const auto qualities = qualities_of(own);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += qualities[i];
  }
  const auto classes = static_cast<double>(totals.panoptic.size());
  for (double& sum : sums) sum = ratio(sum, classes, classes == 0);
  return sums;
}

}  // namespace

Summary summarise(const Comparison& comparison, std::span<const uint32_t> weights, bool sizes) {
  Totals totals;
  for (size_t i = 0; i < comparison.images.size(); ++i) {
    if (weights[i] > 0) totals.add(comparison.images[i], weights[i]);
  }
  Summary summary = kUnknown;
  if (totals.images == 0) return summary;

  Writer write(summary, 0);
  write(totals.kaggle / totals.images);
  for (const double sum : totals.precision) write(sum / totals.images);
  write_coco(comparison.segm.scores(weights, sizes), write);
  write_coco(comparison.bbox.scores(weights, sizes), write);
  const auto& [true_positives, false_positives, false_negatives] =
      std::tie(totals.true_positives, totals.false_positives, totals.false_negatives);
  const bool nothing = true_positives + false_positives + false_negatives == 0;
  write(true_positives);
  write(false_positives);
  write(false_negatives);
  write(ratio(true_positives, true_positives + false_positives, nothing));
  write(ratio(true_positives, true_positives + false_negatives, nothing));
  write(ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives, nothing));
  for (const double quality : mean_panoptic(totals)) write(quality);
  write(totals.aji / totals.images);
  write(totals.count_bias / totals.images);
  write(totals.count_absolute / totals.images);
  write(totals.ground_truths == 0 ? std::numeric_limits<double>::quiet_NaN()
                                  : totals.count_absolute / totals.ground_truths);
  return summary;
}

double panoptic_quality(const SegmentScores& image) {
  Totals totals;
  totals.add(image, 1);
  return mean_panoptic(totals)[0];
}

std::vector<ClassScores> summarise_classes(const Comparison& comparison) {
  const std::vector<uint32_t> once(comparison.images.size(), 1);
  Totals totals;
  for (const auto& image : comparison.images) totals.add(image, 1);
  std::vector<ClassScores> classes;
  for (size_t k = 0; k < comparison.segm.labels().size(); ++k) {
    const int32_t label = comparison.segm.labels()[k];
    classes.push_back({label, comparison.segm.ground_truths_of(k, once), kUnknown});
    Writer coco(classes.back().summary, index_of("segmAp"));
    write_coco(comparison.segm.scores_of(k, once), coco);
    // Both tables hold the same images, so they have the same labels in the same order.
    write_coco(comparison.bbox.scores_of(k, once), coco);
    Writer panoptic(classes.back().summary, index_of("pq"));
    for (const double quality : qualities_of(totals.panoptic[label])) panoptic(quality);
  }
  return classes;
}

}  // namespace cellroute::metrics
