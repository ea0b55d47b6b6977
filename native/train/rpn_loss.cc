#include "train/rpn_loss.h"

#include "train/matcher.h"
#include "train/sampler.h"
#include "train/smooth_l1.h"

namespace cellroute::train {
namespace {

/** The sampled anchors of a batch, as indices into all anchors of all its pictures. */
struct Examples {
  torch::Tensor positive;  // [P]
  torch::Tensor negative;  // [Q]
  torch::Tensor offsets;   // [P, 4] that the positive ones are to learn
};

Examples choose_examples(const model::BoxCoder& coder, const torch::Tensor& anchors,
                         const std::vector<torch::Tensor>& boxes, const SamplingOptions& options,
                         const at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  const auto count = anchors.size(0);
  std::vector<torch::Tensor> positive, negative, offsets;
  for (size_t n = 0; n < boxes.size(); ++n) {
    // Without cells everything is background.
    auto matches = torch::full({count}, kBelowLowThreshold, anchors.options().dtype(torch::kInt64));
    if (boxes[n].size(0) > 0) {
      matches = match_boxes(boxes[n], anchors, {options.rpn_fg_iou, options.rpn_bg_iou, true});
    }
    // The sampler's labels: 1 for any cell, 0 for background, -1 between the two.
    const auto labels = (matches + 1).clamp_max(1);
    const auto sampled =
        sample_balanced(labels, options.rpn_batch_size, options.rpn_positive_fraction, generator);
    const auto matched = boxes[n].index_select(0, matches.index_select(0, sampled.positive));
    offsets.push_back(coder.encode(matched, anchors.index_select(0, sampled.positive)));
    const int64_t begin = static_cast<int64_t>(n) * count;
    positive.push_back(sampled.positive + begin);
    negative.push_back(sampled.negative + begin);
  }
  return {torch::cat(positive), torch::cat(negative), torch::cat(offsets)};
}

}  // namespace

RpnLosses rpn_losses(const model::RegionProposalNetworkImpl& rpn,
                     const model::RpnPredictions& predictions, const model::ImageBatch& images,
                     const std::vector<torch::Tensor>& boxes, const SamplingOptions& options,
                     const at::Generator& generator) {
  std::vector<torch::Tensor> objectness, deltas;
  for (size_t i = 0; i < predictions.objectness.size(); ++i) {
    objectness.push_back(predictions.flat_objectness(i));
    deltas.push_back(predictions.flat_deltas(i));
  }
  const auto device = objectness.front().device();
  std::vector<torch::Tensor> truths;
  for (const auto& some : boxes) truths.push_back(some.to(device));
  const auto anchors =
      torch::cat(rpn.anchors(predictions, {images.tensors.size(2), images.tensors.size(3)}));
  const auto examples = choose_examples(rpn.box_coder(), anchors, truths, options, generator);
  const auto sampled = torch::cat({examples.positive, examples.negative});
  const auto logits = torch::cat(objectness, 1).flatten().index_select(0, sampled);
  const auto regression = torch::cat(deltas, 1).flatten(0, 1).index_select(0, examples.positive);
  // The mean over nothing would be NaN.
  if (sampled.size(0) == 0) return {logits.sum(), regression.sum()};
  const auto truth =
      (torch::arange(sampled.size(0), sampled.options()) < examples.positive.size(0)).to(logits);
  return {torch::binary_cross_entropy_with_logits(logits, truth),
          smooth_l1(regression, examples.offsets) / sampled.size(0)};
}

}  // namespace cellroute::train
