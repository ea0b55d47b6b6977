#include "train/roi_loss.h"

#include "engine/parallel.h"
#include "ops/mask_targets.h"
#include "train/matcher.h"
#include "train/sampler.h"
#include "train/smooth_l1.h"

namespace cellroute::train {
namespace {

/** From each row of [K, classes * width], the `width` values of its label. */
torch::Tensor of_label(const torch::Tensor& rows, const torch::Tensor& labels, int64_t width) {
  const auto classes = rows.numel() / std::max<int64_t>(rows.size(0) * width, 1);
  const auto index = torch::arange(rows.size(0), labels.options()) * classes + labels;
  return rows.reshape({-1, width}).index_select(0, index);
}

torch::Tensor cat_labels(const std::vector<RoiExamples>& examples) {
  std::vector<torch::Tensor> labels;
  for (const auto& some : examples) labels.push_back(some.labels);
  return torch::cat(labels);
}

/** All candidates of an image; -1 lies between cell and background. */
RoiExamples label_rois(const torch::Tensor& proposals, const torch::Tensor& boxes,
                       const torch::Tensor& labels, const SamplingOptions& options) {
  const torch::NoGradGuard no_grad;
  const auto candidates = torch::cat({proposals, boxes});
  RoiExamples all{candidates, torch::zeros({candidates.size(0)}, torch::kInt64),
                  torch::zeros({candidates.size(0)}, torch::kInt64)};
  if (boxes.size(0) > 0) {
    const auto matches =
        match_boxes(boxes, candidates, {options.box_fg_iou, options.box_bg_iou, false});
    all.matched = matches.clamp_min(0);
    all.labels = labels.index_select(0, all.matched);
    all.labels.masked_fill_(matches == kBelowLowThreshold, 0);
    all.labels.masked_fill_(matches == kBetweenThresholds, -1);
  }
  return all;
}

}  // namespace

RoiExamples RoiExamples::select(const torch::Tensor& index) const {
  return {boxes.index_select(0, index), labels.index_select(0, index),
          matched.index_select(0, index)};
}

RoiExamples RoiExamples::positive() const { return select((labels > 0).nonzero().squeeze(1)); }

std::vector<RoiExamples> choose_rois(const std::vector<torch::Tensor>& proposals,
                                     const std::vector<torch::Tensor>& boxes,
                                     const std::vector<torch::Tensor>& labels,
                                     const SamplingOptions& options,
                                     const at::Generator& generator) {
  std::vector<RoiExamples> examples(proposals.size());
  // Matching is most of the work and runs in parallel; drawing keeps its order.
  parallel_for(0, static_cast<int64_t>(proposals.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      examples[i] = label_rois(proposals[i], boxes[i], labels[i], options);
    }
  });
  for (auto& some : examples) {
    some = some.select(sample_balanced(some.labels, options.box_batch_size,
                                       options.box_positive_fraction, generator)
                           .all());
  }
  return examples;
}

BoxLosses box_losses(const model::BoxCoder& coder, const model::BoxPredictions& predictions,
                     const std::vector<RoiExamples>& examples,
                     const std::vector<torch::Tensor>& boxes) {
  const auto& [logits, regression] = predictions;
  // The mean of nothing would be NaN.
  if (logits.size(0) == 0) return {logits.sum(), regression.sum()};
  const auto labels = cat_labels(examples);
  std::vector<torch::Tensor> offsets;
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto cells = examples[i].positive();
    offsets.push_back(coder.encode(boxes[i].index_select(0, cells.matched), cells.boxes));
  }
  const auto positive = (labels > 0).nonzero().squeeze(1);
  const auto device = logits.device();
  const auto predicted = of_label(regression.index_select(0, positive.to(device)),
                                  labels.index_select(0, positive).to(device), /*width=*/4);
  return {torch::cross_entropy_loss(logits, labels.to(device)),
          smooth_l1(predicted, torch::cat(offsets).to(device)) / labels.size(0)};
}

torch::Tensor mask_loss(const torch::Tensor& logits, const std::vector<RoiExamples>& positive,
                        const std::vector<GroundTruth>& ground_truths,
                        const std::vector<model::ImageSize>& sizes) {
  if (logits.size(0) == 0) return logits.sum();
  const int64_t side = logits.size(-1);
  std::vector<torch::Tensor> targets;
  for (size_t i = 0; i < positive.size(); ++i) {
    targets.push_back(ops::mask_targets(ground_truths[i].masks, positive[i].boxes,
                                        positive[i].matched, sizes[i].height, sizes[i].width, side)
                          .to(logits.device()));
  }
  const auto predicted =
      of_label(logits.flatten(1), cat_labels(positive).to(logits.device()), side * side);
  return torch::binary_cross_entropy_with_logits(predicted, torch::cat(targets).flatten(1));
}

}  // namespace cellroute::train
