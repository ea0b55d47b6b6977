#pragma once

#include <torch/torch.h>

#include <vector>

#include "model/roi_heads.h"
#include "train/mask_rcnn_loss.h"

namespace cellroute::train {

/** The proposals of one image that the heads learn from. */
struct RoiExamples {
  torch::Tensor boxes;    // [K, 4] in pixels of the resized image
  torch::Tensor labels;   // [K] int64, 0 for background
  torch::Tensor matched;  // [K] int64, index of the cell; means nothing where the label is 0

  RoiExamples select(const torch::Tensor& index) const;

  /** Those that are cells. */
  RoiExamples positive() const;
};

/** Matches each image's proposals [K, 4] and its cells' own boxes [N, 4] with the cells, labels
 *  [N], and samples them. All on the CPU. */
std::vector<RoiExamples> choose_rois(const std::vector<torch::Tensor>& proposals,
                                     const std::vector<torch::Tensor>& boxes,
                                     const std::vector<torch::Tensor>& labels,
                                     const SamplingOptions& options,
                                     const at::Generator& generator);

struct BoxLosses {
  torch::Tensor classifier;  // cross-entropy, mean over the examples
  torch::Tensor box_reg;     // smooth L1 of the cells' offsets, over the count of all examples
};

/** `predictions` are of all images' examples, one image after the other; `boxes` of each
 *  image's cells. */
BoxLosses box_losses(const model::BoxCoder& coder, const model::BoxPredictions& predictions,
                     const std::vector<RoiExamples>& examples,
                     const std::vector<torch::Tensor>& boxes);

/** Binary cross-entropy of mask logits [K, classes, S, S] of the positive examples, in the channel
 *  of each one's label, mean over all. `sizes` are the images' after their resize. */
torch::Tensor mask_loss(const torch::Tensor& logits, const std::vector<RoiExamples>& positive,
                        const std::vector<Truth>& truths,
                        const std::vector<model::ImageSize>& sizes);

}  // namespace cellroute::train
