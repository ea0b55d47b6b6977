#include "model/rpn.h"

#include <algorithm>
#include <utility>

#include "model/conv_block.h"
#include "model/skip_init.h"
#include "ops/boxes.h"

namespace cellroute::model {
namespace {

namespace nn = torch::nn;

constexpr double kInitialStd = 0.01;

void draw_normal(torch::Tensor& weight) { nn::init::normal_(weight, 0.0, kInitialStd); }

nn::Conv2d predictor(int64_t in, int64_t out) {
  auto conv = make_conv2d(nn::Conv2dOptions(in, out, 1));
  initialize(conv->weight, draw_normal);
  nn::init::zeros_(conv->bias);
  return conv;
}

nn::Sequential shared_convolutions(int64_t channels, int64_t depth) {
  nn::Sequential convolutions;
  for (int64_t i = 0; i < depth; ++i) {
    ConvBlock block(channels, channels, 3, Activation::kRelu);
    initialize(block->weight(), draw_normal);
    convolutions->push_back(block);
  }
  return convolutions;
}

ImageSize spatial(const torch::Tensor& map) { return {map.size(2), map.size(3)}; }

/** Clips boxes [N, K, 4] to their image's size. */
torch::Tensor clipped_each(const torch::Tensor& boxes, const std::vector<ImageSize>& sizes) {
  const auto clipped = [](const torch::Tensor& some, ImageSize size) {
    return ops::clip_boxes_to_image(some, size.height, size.width);
  };
  const bool alike = std::ranges::all_of(sizes, [&](auto size) { return size == sizes.front(); });
  if (alike) return clipped(boxes.flatten(0, 1), sizes.front()).view(boxes.sizes());
  std::vector<torch::Tensor> all;
  for (size_t n = 0; n < sizes.size(); ++n) {
    all.push_back(clipped(boxes[static_cast<int64_t>(n)], sizes[n]));
  }
  return torch::stack(all);
}

}  // namespace

torch::Tensor RpnPredictions::flat_objectness(size_t level) const {
  return objectness.at(level).permute({0, 2, 3, 1}).flatten(1);
}

torch::Tensor RpnPredictions::flat_deltas(size_t level) const {
  const auto& map = deltas.at(level);
  return map.view({map.size(0), -1, 4, map.size(2), map.size(3)})
      .permute({0, 3, 4, 1, 2})
      .flatten(1, 3);
}

RpnHeadImpl::RpnHeadImpl(int64_t channels, int64_t anchors_per_location, int64_t conv_depth)
    : conv_(register_module("conv", shared_convolutions(channels, conv_depth))),
      cls_logits_(register_module("cls_logits", predictor(channels, anchors_per_location))),
      bbox_pred_(register_module("bbox_pred", predictor(channels, anchors_per_location * 4))) {}

RpnPredictions RpnHeadImpl::forward(const std::vector<torch::Tensor>& levels) {
  RpnPredictions predictions;
  for (const auto& level : levels) {
    const auto shared = conv_->forward(level);
    predictions.objectness.push_back(cls_logits_(shared));
    predictions.deltas.push_back(bbox_pred_(shared));
  }
  return predictions;
}

RegionProposalNetworkImpl::RegionProposalNetworkImpl(const RpnConfig& config, int64_t channels)
    : anchor_generator_(config.anchors),
      box_coder_({1, 1, 1, 1}),
      head_(register_module(
          "head", RpnHead(channels, anchor_generator_.anchors_per_location(), config.conv_depth))) {
}

std::vector<torch::Tensor> RegionProposalNetworkImpl::anchors(const RpnPredictions& predictions,
                                                              ImageSize batch) const {
  TORCH_CHECK(predictions.objectness.size() == anchor_generator_.levels(),
              "anchors are configured for ", anchor_generator_.levels(),
              " levels, the network gives ", predictions.objectness.size());
  std::vector<torch::Tensor> anchors;
  for (size_t i = 0; i < predictions.objectness.size(); ++i) {
    const auto& map = predictions.objectness[i];
    anchors.push_back(anchor_generator_(i, spatial(map), batch, map.device()));
  }
  return anchors;
}

BestAnchors RegionProposalNetworkImpl::best_anchors(const RpnPredictions& predictions,
                                                    const std::vector<torch::Tensor>& anchors,
                                                    int64_t pre_nms_top_n) const {
  // Offsets are applied only to the selected anchors: [N, k, 4] and [N, k] per level.
  std::vector<torch::Tensor> boxes, logits, levels;
  for (size_t i = 0; i < anchors.size(); ++i) {
    const auto all = predictions.flat_objectness(i);
    const auto best = all.topk(std::min(pre_nms_top_n, all.size(1)), 1);
    const auto& index = std::get<1>(best);
    const auto deltas =
        predictions.flat_deltas(i).gather(1, index.unsqueeze(2).expand({-1, -1, 4})).flatten(0, 1);
    boxes.push_back(box_coder_.decode(deltas, anchors[i].index_select(0, index.flatten()))
                        .view({index.size(0), -1, 4}));
    logits.push_back(std::get<0>(best));
    levels.push_back(torch::full({index.size(1)}, static_cast<int64_t>(i), index.options()));
  }
  return {torch::cat(boxes, 1), torch::cat(logits, 1).sigmoid(), torch::cat(levels)};
}

std::vector<Proposals> RegionProposalNetworkImpl::filter_proposals(
    const RpnPredictions& predictions, const std::vector<torch::Tensor>& anchors,
    const std::vector<ImageSize>& sizes, const ProposalOptions& options) const {
  const torch::NoGradGuard no_grad;
  const auto [all_boxes, all_scores, all_levels] =
      best_anchors(predictions, anchors, options.pre_nms_top_n);

  std::vector<Proposals> proposals;
  for (size_t n = 0; n < sizes.size(); ++n) {
    const auto image = static_cast<int64_t>(n);
    auto kept = ops::clip_boxes_to_image(all_boxes[image], sizes[n].height, sizes[n].width);
    auto keep = ops::remove_small_boxes(kept, options.min_size);
    const auto good =
        (all_scores[image].index_select(0, keep) >= options.score_threshold).nonzero().squeeze(1);
    keep = keep.index_select(0, good);
    kept = kept.index_select(0, keep);
    const auto order = ops::batched_nms(kept, all_scores[image].index_select(0, keep),
                                        all_levels.index_select(0, keep), options.nms_threshold);
    const int64_t count = std::min(options.post_nms_top_n, order.size(0));
    proposals.push_back({kept.index_select(0, order.narrow(0, 0, count)), order.size(0) > count});
  }
  return proposals;
}

PaddedProposals RegionProposalNetworkImpl::filter_proposals_padded(
    const RpnPredictions& predictions, const std::vector<torch::Tensor>& anchors,
    const std::vector<ImageSize>& sizes, const ProposalOptions& options) const {
  const torch::NoGradGuard no_grad;
  const auto best = best_anchors(predictions, anchors, options.pre_nms_top_n);
  const auto boxes = clipped_each(best.boxes, sizes);
  const auto valid = ops::has_min_size(boxes.flatten(0, 1), options.min_size)
                         .view(best.scores.sizes())
                         .logical_and(best.scores >= options.score_threshold);
  const int64_t limit = std::min(options.post_nms_top_n, boxes.size(1));
  auto kept = ops::nms_padded(boxes, best.scores, best.levels.expand(best.scores.sizes()), valid,
                              options.nms_threshold, limit);
  return {ops::padded_rows(boxes, kept.index), std::move(kept)};
}

}  // namespace cellroute::model
