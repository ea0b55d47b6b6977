#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mask/columns.h"
#include "mask/shapes.h"

namespace cellroute::metrics {

/** A truth that a prediction meets, and how well. */
struct Pair {
  uint32_t truth;
  /** Pixels in common; 0 where boxes are compared. */
  uint32_t common;
  /** Over the prediction's area alone where the truth is a crowd. */
  double iou;
};

/** For each prediction the truths it shares something with, by rising index: all other pairs have
 *  an IoU of 0. */
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

/** The truths of one image, ready to be compared with. `crowd` is empty or has a flag a truth. */
class TruthMasks {
 public:
  TruthMasks(std::span<const mask::RleView> masks, std::span<const uint8_t> crowd)
      : shapes_(masks), columns_(shapes_), crowd_(crowd) {}
  TruthMasks(const TruthMasks&) = delete;
  TruthMasks& operator=(const TruthMasks&) = delete;

  const mask::Shapes& shapes() const { return shapes_; }
  /** The truths that mask i of `predictions` shares a pixel with. */
  void meet(const mask::Shapes& predictions, size_t i, std::vector<Pair>& row) const;

 private:
  mask::Shapes shapes_;
  mask::Columns columns_;
  std::span<const uint8_t> crowd_;
};

/** Boxes in place of masks: x, y, width, height each, compared as pycocotools compares boxes. */
Pairs box_pairs(std::span<const double> predicted, std::span<const double> truth,
                std::span<const uint8_t> crowd);

}  // namespace cellroute::metrics
