#include "metrics/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <utility>

#include "thread_loop.h"

namespace cellroute::metrics {
namespace {

/** Share of the comparison in the progress; the rest is the bootstrap. */
constexpr double kComparisonShare = 0.8;

/** Counts steps of several threads and reports them one at a time. */
class Counter {
 public:
  Counter(const Progress& progress, double from, double to, size_t steps)
      : progress_(progress), from_(from), part_((to - from) / static_cast<double>(steps)) {}

  void step() {
    const std::lock_guard lock(mutex_);
    ++done_;
    progress_(from_ + part_ * static_cast<double>(done_));
  }

 private:
  const Progress& progress_;
  double from_;
  double part_;
  std::mutex mutex_;
  size_t done_ = 0;
};

struct ImageScores {
  SegmentScores segments;
  std::vector<CocoClass> segm;
  std::vector<CocoClass> bbox;
};

std::vector<double> boxes_of(const std::vector<double>& given, const mask::Shapes& shapes) {
  if (!given.empty()) return given;
  std::vector<double> boxes;
  boxes.reserve(4 * shapes.size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto& box = shapes.box(i);
    for (const uint32_t value : {box.x, box.y, box.width, box.height}) boxes.push_back(value);
  }
  return boxes;
}

std::vector<uint32_t> mask_areas(const mask::Shapes& shapes) {
  std::vector<uint32_t> areas(shapes.size());
  for (size_t i = 0; i < areas.size(); ++i) areas[i] = shapes.area(i);
  return areas;
}

std::vector<double> areas_of(const std::vector<double>& given, const mask::Shapes& shapes) {
  if (!given.empty()) return given;
  const auto areas = mask_areas(shapes);
  return {areas.begin(), areas.end()};
}

ImageScores score_image(const Image& image, const Options& options) {
  const auto ground_truth_masks = image.ground_truth.checked_views();
  const auto masks = image.predicted.checked_views();
  const GroundTruthMasks ground_truth(ground_truth_masks, image.crowd);
  const mask::Shapes shapes(masks);
  Pairs pairs;
  std::vector<Pair> row;
  for (size_t i = 0; i < shapes.size(); ++i) {
    ground_truth.append_overlaps(shapes, i, row);
    pairs.add_row(row);
  }
  const auto areas = areas_of(image.areas, shapes);
  const auto ground_truth_areas = areas_of(image.ground_truth_areas, ground_truth.shapes());
  const CocoImage coco{.labels = image.labels,
                       .scores = image.scores,
                       .areas = areas,
                       .ground_truth_labels = image.ground_truth_labels,
                       .ground_truth_areas = ground_truth_areas,
                       .crowd = image.crowd};
  const auto boxes =
      box_pairs(boxes_of(image.boxes, shapes),
                boxes_of(image.ground_truth_boxes, ground_truth.shapes()), image.crowd);
  const auto kept = keep(masks, shapes, image.scores, pairs, ground_truth, options.rule);
  const auto pixels = mask_areas(ground_truth.shapes());
  const SegmentGroundTruth segment_ground_truth{pixels, image.ground_truth_labels, image.crowd};
  return {score_segments(kept, image.labels, segment_ground_truth, options.iou),
          match_coco(pairs, coco, options.max_dets), match_coco(boxes, coco, options.max_dets)};
}

}  // namespace

Evaluation evaluate(std::span<const Image> images, std::span<const std::vector<uint32_t>> groups,
                    const Options& options, const Progress& progress) {
  std::vector<SegmentScores> segments(images.size());
  std::vector<std::vector<CocoClass>> segm(images.size()), bbox(images.size());
  const double compared = options.samples > 0 ? kComparisonShare : 1;
  Counter counter(progress, 0, compared, std::max<size_t>(images.size(), 1));
  for_each_parallel(images.size(), options.threads, [&](size_t i) {
    auto scores = score_image(images[i], options);
    segments[i] = std::move(scores.segments);
    segm[i] = std::move(scores.segm);
    bbox[i] = std::move(scores.bbox);
    counter.step();
  });

  const Comparison comparison{std::move(segments), CocoTable(segm), CocoTable(bbox)};
  Evaluation evaluation;
  std::vector<std::vector<uint32_t>> sets;
  sets.emplace_back(images.size());
  for (uint32_t i = 0; i < images.size(); ++i) sets[0][i] = i;
  sets.insert(sets.end(), groups.begin(), groups.end());
  for (const auto& set : sets) {
    std::vector<uint32_t> weights(images.size(), 0);
    for (const uint32_t i : set) weights[i] = 1;
    evaluation.groups.push_back({summarise(comparison, weights, true), {}});
  }
  if (options.samples > 0) {
    Counter samples(progress, compared, 1, options.samples * sets.size());
    for (size_t k = 0; k < sets.size(); ++k) {
      evaluation.groups[k].interval = bootstrap(
          comparison, sets[k], {options.samples, options.seed, options.confidence, options.threads},
          [&] { samples.step(); });
    }
  }
  evaluation.classes = summarise_classes(comparison);
  for (const auto& image : comparison.images) {
    evaluation.image_pq.push_back(panoptic_quality(image));
  }
  evaluation.images = comparison.images;
  return evaluation;
}

}  // namespace cellroute::metrics
