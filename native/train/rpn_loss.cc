#include "train/rpn_loss.h"

#include "ops/nms.h"
#include "train/matcher.h"
#include "train/sampler.h"
#include "train/smooth_l1.h"

namespace cellroute::train {
namespace {

torch::Tensor match_anchors(const torch::Tensor& boxes, const torch::Tensor& anchors,
                            const SamplingOptions& options) {
  // Without cells everything is background.
  if (boxes.size(0) == 0) {
    return torch::full({anchors.size(0)}, kBelowLowThreshold,
                       anchors.options().dtype(torch::kInt64));
  }
  return match_boxes(boxes, anchors, {options.rpn_fg_iou, options.rpn_bg_iou, true});
}

/** The sampler's labels: 1 for any cell, 0 for background, -1 between the two. */
torch::Tensor labels_of(const torch::Tensor& matches) { return (matches + 1).clamp_max(1); }

/** All levels of each image: [N, A] and [N, A, 4]. */
struct FlatPredictions {
  torch::Tensor objectness, deltas;
};

FlatPredictions flat(const model::RpnPredictions& predictions) {
  std::vector<torch::Tensor> objectness, deltas;
  for (size_t i = 0; i < predictions.objectness.size(); ++i) {
    objectness.push_back(predictions.flat_objectness(i));
    deltas.push_back(predictions.flat_deltas(i));
  }
  return {torch::cat(objectness, 1), torch::cat(deltas, 1)};
}

/** The sampled anchors of a batch, as indices into the anchors of all its images. */
struct Examples {
  torch::Tensor positive;  // [P]
  torch::Tensor negative;  // [Q]
  torch::Tensor offsets;   // [P, 4], targets of the positive anchors
};

Examples choose_examples(const model::BoxCoder& coder, const torch::Tensor& anchors,
                         const std::vector<torch::Tensor>& boxes, const SamplingOptions& options,
                         const at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  const auto count = anchors.size(0);
  std::vector<torch::Tensor> positive, negative, offsets;
  for (size_t n = 0; n < boxes.size(); ++n) {
    const auto matches = match_anchors(boxes[n], anchors, options);
    const auto sampled = sample_balanced(labels_of(matches), options.rpn_batch_size,
                                         options.rpn_positive_fraction, generator);
    const auto matched = boxes[n].index_select(0, matches.index_select(0, sampled.positive));
    offsets.push_back(coder.encode(matched, anchors.index_select(0, sampled.positive)));
    const int64_t begin = static_cast<int64_t>(n) * count;
    positive.push_back(sampled.positive + begin);
    negative.push_back(sampled.negative + begin);
  }
  return {torch::cat(positive), torch::cat(negative), torch::cat(offsets)};
}

}  // namespace

RpnLosses rpn_losses(const model::BoxCoder& coder, const model::RpnPredictions& predictions,
                     const std::vector<torch::Tensor>& anchors,
                     const std::vector<torch::Tensor>& boxes, const SamplingOptions& options,
                     const at::Generator& generator) {
  if (anchors.front().is_cuda()) {
    return rpn_losses_padded(coder, predictions, anchors, boxes, options);
  }
  const auto [objectness, deltas] = flat(predictions);
  const auto examples = choose_examples(coder, torch::cat(anchors), boxes, options, generator);
  const auto sampled = torch::cat({examples.positive, examples.negative});
  const auto logits = objectness.flatten().index_select(0, sampled);
  const auto regression = deltas.flatten(0, 1).index_select(0, examples.positive);
  // The mean of nothing would be NaN.
  if (sampled.size(0) == 0) return {logits.sum(), regression.sum()};
  const auto ground_truth =
      (torch::arange(sampled.size(0), sampled.options()) < examples.positive.size(0)).to(logits);
  return {torch::binary_cross_entropy_with_logits(logits, ground_truth),
          smooth_l1(regression, examples.offsets) / sampled.size(0)};
}

RpnLosses rpn_losses_padded(const model::BoxCoder& coder, const model::RpnPredictions& predictions,
                            const std::vector<torch::Tensor>& anchors,
                            const std::vector<torch::Tensor>& boxes,
                            const SamplingOptions& options) {
  const auto [objectness, deltas] = flat(predictions);
  const auto all_anchors = torch::cat(anchors);
  // The boxes of all images, concatenated.
  std::vector<torch::Tensor> ground_truths, matched;
  int64_t first = 0;
  for (const auto& some : boxes) {
    ground_truths.push_back(some.to(all_anchors.device()));
    const auto matches = match_anchors(ground_truths.back(), all_anchors, options);
    matched.push_back(torch::where(matches >= 0, matches + first, matches));
    first += some.size(0);
  }
  const auto matches = torch::stack(matched);
  const auto [positive, is_positive, negative, is_negative] = sample_balanced_padded(
      labels_of(matches), options.rpn_batch_size, options.rpn_positive_fraction);
  const auto count = (is_positive.sum() + is_negative.sum()).clamp_min(1);

  const auto background =
      torch::softplus(ops::padded_rows(objectness, negative)).masked_fill(~is_negative, 0);
  const auto cells =
      torch::softplus(-ops::padded_rows(objectness, positive)).masked_fill(~is_positive, 0);
  const auto objectness_loss = (background.sum() + cells.sum()) / count;
  const auto regression = ops::padded_rows(deltas, positive);
  if (first == 0) return {objectness_loss, regression.sum() * 0};
  const auto ground_truth =
      torch::cat(ground_truths).index_select(0, matches.gather(1, positive).clamp_min(0).flatten());
  const auto offsets = coder.encode(ground_truth, all_anchors.index_select(0, positive.flatten()))
                           .view_as(regression);
  const auto off = is_positive.logical_not().unsqueeze(2);
  return {objectness_loss,
          smooth_l1(regression.masked_fill(off, 0), offsets.masked_fill(off, 0)) / count};
}

}  // namespace cellroute::train
