#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mask/columns.h"
#include "mask/shapes.h"

namespace cellroute::metrics {

/** A ground-truth cell that overlaps a prediction, and their overlap. */
struct Pair {
  uint32_t ground_truth;
  /** Shared pixels; 0 when boxes are compared. */
  uint32_t common;
  /** Relative to the prediction's area alone if the ground truth is a crowd. */
  double iou;
};

/** For each prediction the ground-truth cells that overlap it, by increasing index. All other
 *  pairs have an IoU of 0. */
class Pairs {
 public:
  void add_row(std::vector<Pair>& row);

  size_t size() const { return offsets_.size() - 1; }
  std::span<const Pair> row(size_t prediction) const {
    return std::span(pairs_).subspan(offsets_[prediction],
                                     offsets_[prediction + 1] - offsets_[prediction]);
  }

 private:
  std::vector<Pair> pairs_;
  std::vector<size_t> offsets_{0};
};

/** The ground truth of one image, prepared for comparison. `crowd` is empty or has one flag per
 *  cell. */
class GroundTruthMasks {
 public:
  GroundTruthMasks(std::span<const mask::RleView> masks, std::span<const uint8_t> crowd)
      : shapes_(masks), columns_(shapes_), crowd_(crowd) {}
  GroundTruthMasks(const GroundTruthMasks&) = delete;
  GroundTruthMasks& operator=(const GroundTruthMasks&) = delete;

  const mask::Shapes& shapes() const { return shapes_; }
  /** The ground-truth cells that share a pixel with mask i of `predictions`. */
  void append_overlaps(const mask::Shapes& predictions, size_t i, std::vector<Pair>& row) const;

 private:
  mask::Shapes shapes_;
  mask::Columns columns_;
  std::span<const uint8_t> crowd_;
};

/** Boxes instead of masks: x, y, width, height each, compared as in pycocotools. */
Pairs box_pairs(std::span<const double> predicted, std::span<const double> ground_truth,
                std::span<const uint8_t> crowd);

}  // namespace cellroute::metrics
