#include "infer/mask_rcnn_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/profile.h"
#include "model/device_of.h"
#include "model/multi_scale_roi_align.h"

namespace cellroute::infer {
namespace {

std::vector<ConvLayer> conv_layers(const State& state, const std::string& prefix,
                                   torch::ScalarType compute_dtype) {
  std::vector<ConvLayer> layers;
  for (int i = 0;; ++i) {
    const auto key = prefix + std::to_string(i) + ".0";
    if (!state.has(key + ".weight")) return layers;
    const auto affine = affine_of(state, key);
    layers.emplace_back(affine.weight, affine.bias, 1, Activation::kRelu, compute_dtype);
  }
}

/** Never int8: the few outputs cost little, and scores and boxes are computed from them. */
ConvLayer rpn_predictor(const State& state, torch::ScalarType compute_dtype) {
  const auto affine = concat_outputs(affine_of(state, "rpn.head.cls_logits"),
                                     affine_of(state, "rpn.head.bbox_pred"));
  return {affine.weight, affine.bias, 1, Activation::kNone, activation_dtype(compute_dtype)};
}

LinearLayer linear(const Affine& affine, Activation activation, torch::ScalarType compute_dtype) {
  return {affine.weight, affine.bias, activation, compute_dtype};
}

/** Whether fc6 multiplies by the network's original weight, channel by channel. It saves half of
 *  a box head's memory compared with a packed copy, for one more copy of the pooled features. */
bool shares_fc6(const State& state, torch::ScalarType compute_dtype) {
  return compute_dtype == torch::kFloat32 && state.at("roi_heads.box_head.fc6.weight").is_cpu();
}

/** Otherwise fc6 reads pooled features channels-last. */
LinearLayer fc6(const State& state, const model::MaskRcnnConfig& config,
                torch::ScalarType compute_dtype) {
  auto affine = affine_of(state, "roi_heads.box_head.fc6");
  if (shares_fc6(state, compute_dtype)) return LinearLayer::unpacked(affine, Activation::kRelu);
  const int64_t side = config.box.output_size;
  affine.weight = affine.weight.view({-1, config.fpn_channels, side, side})
                      .permute({0, 2, 3, 1})
                      .reshape({affine.weight.size(0), -1});
  return linear(affine, Activation::kRelu, compute_dtype);
}

/** Stride and kernel are 2, so each output pixel depends on one input pixel: a product per
 *  pixel. */
LinearLayer mask_upscale(const State& state, torch::ScalarType compute_dtype) {
  auto affine = affine_of(state, "roi_heads.mask_predictor.conv5_mask");
  const auto hidden = affine.weight.size(1);
  affine.weight = affine.weight.permute({2, 3, 1, 0}).reshape({4 * hidden, -1});
  affine.bias = affine.bias.repeat({4});
  return linear(affine, Activation::kRelu, compute_dtype);
}

/** The same order as rpn_predictor. */
LinearLayer mask_predictor(const State& state, torch::ScalarType compute_dtype) {
  auto affine = affine_of(state, "roi_heads.mask_predictor.mask_fcn_logits");
  const int64_t foreground = affine.weight.size(0) - 1;
  affine.weight = affine.weight.flatten(1).narrow(0, 1, foreground);
  affine.bias = affine.bias.narrow(0, 1, foreground);
  return linear(affine, Activation::kNone, activation_dtype(compute_dtype));
}

/** Rows of channels: a view of channels-last maps. */
torch::Tensor rows(const torch::Tensor& maps) {
  return maps.permute({0, 2, 3, 1}).reshape({-1, maps.size(1)});
}

}  // namespace

bool supports_bfloat16() { return ops::winograd_supports(torch::kBFloat16); }

bool supports_int8() { return ops::pointwise_conv_supports_int8(); }

MaskRcnnPlan::MaskRcnnPlan(model::MaskRcnn network, torch::ScalarType compute_dtype)
    : MaskRcnnPlan(network, compute_dtype, State(*network)) {}

MaskRcnnPlan::MaskRcnnPlan(model::MaskRcnn network, torch::ScalarType compute_dtype,
                           const State& state)
    : network_(std::move(network)),
      compute_dtype_(compute_dtype),
      body_(state, "backbone.body.", network_->config().backbone, compute_dtype),
      fpn_(state, "backbone.fpn.", network_->config().extra_level, compute_dtype),
      rpn_convs_(conv_layers(state, "rpn.head.conv.", compute_dtype)),
      rpn_predictor_(rpn_predictor(state, compute_dtype)),
      fc6_reads_channels_first_(shares_fc6(state, compute_dtype)),
      fc6_(fc6(state, network_->config(), compute_dtype)),
      fc7_(linear(affine_of(state, "roi_heads.box_head.fc7"), Activation::kRelu, compute_dtype)),
      box_predictor_(concat_outputs(affine_of(state, "roi_heads.box_predictor.cls_score"),
                                    affine_of(state, "roi_heads.box_predictor.bbox_pred"))),
      mask_convs_(conv_layers(state, "roi_heads.mask_head.", compute_dtype)),
      mask_upscale_(mask_upscale(state, compute_dtype)),
      mask_predictor_(mask_predictor(state, compute_dtype)) {}

torch::Device MaskRcnnPlan::device() const { return model::device_of(*network_); }

model::GeneralizedRcnnTransform MaskRcnnPlan::transform_for(
    const model::DetectOptions& options) const {
  return options.scale ? network_->transform().with_scale(*options.scale) : network_->transform();
}

model::DetectionContext MaskRcnnPlan::context_with(
    const model::GeneralizedRcnnTransform& transform) const {
  const auto context = network_->detection_context();
  return {context.config, transform, context.rpn, context.box_coder};
}

std::vector<model::Detections> MaskRcnnPlan::run(const model::DetectionContext& context,
                                                 const std::vector<torch::Tensor>& images,
                                                 const model::DetectOptions& options,
                                                 const JobContext& poll,
                                                 const model::BoxFilter& filter) {
  const bool equal = std::ranges::all_of(
      images, [&](const torch::Tensor& image) { return image.sizes() == images.front().sizes(); });
  if (device().is_cuda() && equal) {
    return device_pass_.detect(context, *this, images, options, poll, filter);
  }
  return model::detect(context, *this, images, options, poll, filter);
}

std::vector<model::Detections> MaskRcnnPlan::detect(const std::vector<torch::Tensor>& images,
                                                    const model::DetectOptions& options,
                                                    const JobContext& poll) {
  const auto transform = transform_for(options);
  return run(context_with(transform), images, options, poll);
}

model::Detections MaskRcnnPlan::detect_as_resized(const torch::Tensor& input,
                                                  const model::DetectOptions& options,
                                                  const JobContext& poll,
                                                  const model::BoxFilter& filter) {
  const auto transform = network_->transform().without_resize();
  auto found = run(context_with(transform), {input}, options, poll, filter);
  return std::move(found.front());
}

model::BoxDetections MaskRcnnPlan::boxes_as_resized(const torch::Tensor& input,
                                                    const model::DetectOptions& options,
                                                    const JobContext& poll) {
  const auto transform = network_->transform().without_resize();
  return model::detect_boxes(context_with(transform), *this, input, options, poll);
}

model::Candidates MaskRcnnPlan::candidates(const torch::Tensor& image,
                                           const model::DetectOptions& options,
                                           const std::vector<double>& nms_thresholds,
                                           const JobContext& poll) {
  const auto transform = transform_for(options);
  return model::candidates(context_with(transform), *this, image, options, nms_thresholds, poll);
}

std::vector<torch::Tensor> MaskRcnnPlan::pyramid(const torch::Tensor& images,
                                                 const model::Progress& progress) {
  std::vector<torch::Tensor> returned;
  {
    const StageScope stage("backbone");
    const auto layers = body_(images.to(activation_dtype(compute_dtype_), /*non_blocking=*/false,
                                        /*copy=*/false, at::MemoryFormat::ChannelsLast),
                              progress);
    for (const int64_t layer : network_->config().returned_layers) {
      returned.push_back(layers.at(layer - 1));
    }
  }
  const StageScope stage("fpn");
  return fpn_(std::move(returned));
}

model::RpnPredictions MaskRcnnPlan::propose(const std::vector<torch::Tensor>& levels) {
  const int64_t anchors = network_->rpn()->anchor_generator().anchors_per_location();
  model::RpnPredictions predictions;
  for (const auto& level : levels) {
    auto maps = level;
    for (const auto& conv : rpn_convs_) maps = conv(maps);
    const auto both = rpn_predictor_(maps).to(torch::kFloat32);
    predictions.objectness.push_back(both.narrow(1, 0, anchors));
    predictions.deltas.push_back(both.narrow(1, anchors, 4 * anchors));
  }
  return predictions;
}

model::BoxPredictions MaskRcnnPlan::predict_boxes(const std::vector<torch::Tensor>& levels,
                                                  const torch::Tensor& rois,
                                                  const std::vector<model::ImageSize>& images) {
  const auto& config = network_->config();
  const auto pooled = model::multi_scale_roi_align_channels_last(
      levels, rois, images, config.box.output_size, config.box.sampling_ratio);
  const auto features = fc7_(hidden_of(pooled));
  const auto both =
      torch::linear(features.to(torch::kFloat32), box_predictor_.weight, box_predictor_.bias);
  return {both.narrow(1, 0, config.num_classes),
          both.narrow(1, config.num_classes, 4 * config.num_classes)};
}

torch::Tensor MaskRcnnPlan::hidden_of(const torch::Tensor& pooled) const {
  // In parts: between them, the work can be cancelled, and a copy of everything in another order
  // would be the largest tensor in memory.
  constexpr int64_t kRows = 256;
  std::vector<torch::Tensor> hidden;
  for (const auto& some : pooled.split(kRows)) {
    hidden.push_back(
        fc6_(fc6_reads_channels_first_ ? some.flatten(1) : rows(some).view({some.size(0), -1})));
  }
  return hidden.size() == 1 ? hidden.front() : torch::cat(hidden);
}

torch::Tensor MaskRcnnPlan::predict_masks(const std::vector<torch::Tensor>& levels,
                                          const torch::Tensor& rois, const torch::Tensor& labels,
                                          const std::vector<model::ImageSize>& images) {
  const auto& config = network_->config();
  const int64_t count = rois.size(0), side = config.mask.output_size;
  auto maps = model::multi_scale_roi_align_channels_last(levels, rois, images, side,
                                                         config.mask.sampling_ratio);
  for (const auto& conv : mask_convs_) maps = conv(maps);
  const auto pixels = mask_upscale_(rows(maps)).view({-1, config.mask.hidden});
  // Rows are ordered by y and x of the small map, then by y and x of its four output pixels.
  const auto logits = mask_predictor_(pixels)
                          .to(torch::kFloat32)
                          .view({count, side, side, 2, 2, -1})
                          .permute({0, 5, 1, 3, 2, 4})
                          .reshape({count, -1, 2 * side, 2 * side});
  return model::mask_probabilities(logits, labels - 1);
}

}  // namespace cellroute::infer
