#pragma once

#include <torch/types.h>

#include <vector>

#include "model/roi_heads.h"
#include "train/mask_rcnn_loss.h"

namespace cellroute::train {

/** The sampled proposals of one image. */
struct RoiExamples {
  torch::Tensor boxes;    // [K, 4] in pixels of the resized image
  torch::Tensor labels;   // [K] int64, 0 for background
  torch::Tensor matched;  // [K] int64, index of the cell; undefined where the label is 0

  RoiExamples select(const torch::Tensor& index) const;

  /** Indices of the proposals that are cells. */
  RoiExamples positive() const;
};

/** Matches each image's proposals [K, 4] and its ground-truth boxes [N, 4] with the cells, whose
 *  labels are [N], and samples them. Runs on the CPU. */
std::vector<RoiExamples> choose_rois(const std::vector<torch::Tensor>& proposals,
                                     const std::vector<torch::Tensor>& boxes,
                                     const std::vector<torch::Tensor>& labels,
                                     const SamplingOptions& options,
                                     const at::Generator& generator);

struct BoxLosses {
  torch::Tensor classifier;  // cross-entropy, mean over the examples
  torch::Tensor box_reg;  // smooth L1 of the cells' offsets, divided by the number of all examples
};

/** `predictions` are those of all images' examples, concatenated; `boxes` are each image's
 *  ground-truth boxes. */
BoxLosses box_losses(const model::BoxCoder& coder, const model::BoxPredictions& predictions,
                     const std::vector<RoiExamples>& examples,
                     const std::vector<torch::Tensor>& boxes);

/** Binary cross-entropy of mask logits [K, classes, S, S] of the positive examples, in the
 *  channel of each one's label, averaged over all. `sizes` are the images' sizes after resizing. */
torch::Tensor mask_loss(const torch::Tensor& logits, const std::vector<RoiExamples>& positive,
                        const std::vector<GroundTruth>& ground_truths,
                        const std::vector<model::ImageSize>& sizes);

}  // namespace cellroute::train
