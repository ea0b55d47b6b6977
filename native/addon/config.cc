#include "addon/config.h"

#include "addon/read.h"

namespace cellroute::addon {

namespace {

model::NormConfig read_norm(const Fields& norm) {
  const auto kind = norm.text("kind");
  return {.kind = kind == "batch"   ? model::NormKind::kBatch
                  : kind == "group" ? model::NormKind::kGroup
                                    : model::NormKind::kFrozenBatch,
          .eps = norm.number("eps"),
          .groups = norm.integer("groups")};
}

model::ResNetConfig read_backbone(const Fields& backbone) {
  return {.depth = backbone.integer("depth"),
          .width = backbone.integer("width"),
          .norm = read_norm(backbone.object("norm"))};
}

model::NormalizeConfig read_normalize(const Fields& config) {
  return {.mean = config.numbers("imageMean"), .std = config.numbers("imageStd")};
}

}  // namespace

model::MaskRcnnConfig read_mask_rcnn_config(const Napi::Value& value) {
  const Fields config(value, "config");
  const auto backbone = config.object("backbone");
  const auto fpn = config.object("fpn");
  const auto rpn = config.object("rpn");
  const auto box = config.object("box");
  const auto mask = config.object("mask");

  model::MaskRcnnConfig result;
  result.backbone = read_backbone(backbone);
  result.returned_layers = backbone.integers("returnedLayers");
  result.fpn_channels = fpn.integer("channels");
  result.extra_level = fpn.flag("extraLevel");
  result.num_classes = config.integer("numClasses");
  result.normalize = read_normalize(config);
  if (config.has("resize")) {
    const auto resize = config.object("resize");
    result.resize = {.min_size = resize.integer("minSize"),
                     .max_size = resize.integer("maxSize"),
                     .scale = std::nullopt};
    if (resize.has("scale")) result.resize->scale = resize.number("scale");
  }
  result.size_divisible = config.integer("sizeDivisible");
  result.rpn = {.anchors = {.sizes = rpn.number_lists("anchorSizes"),
                            .aspect_ratios = rpn.number_lists("aspectRatios")},
                .conv_depth = rpn.integer("convDepth"),
                .pre_nms_top_n = rpn.integer("preNmsTopN"),
                .post_nms_top_n = rpn.integer("postNmsTopN"),
                .nms_threshold = rpn.number("nmsThreshold"),
                .score_threshold = rpn.number("scoreThreshold"),
                .min_size = rpn.number("minSize")};
  result.box = {.output_size = box.integer("outputSize"),
                .sampling_ratio = box.integer("samplingRatio"),
                .hidden = box.integer("hidden"),
                .score_threshold = box.number("scoreThreshold"),
                .nms_threshold = box.number("nmsThreshold"),
                .detections_per_image = box.integer("detectionsPerImage"),
                .regression_weights = box.numbers("regressionWeights")};
  result.mask = {.output_size = mask.integer("outputSize"),
                 .sampling_ratio = mask.integer("samplingRatio"),
                 .channels = mask.integers("channels"),
                 .hidden = mask.integer("hidden")};
  return result;
}

model::ClassifierConfig read_classifier_config(const Napi::Value& value) {
  const Fields config(value, "config");
  const auto head = config.object("head");
  model::ClassifierConfig result;
  result.backbone = read_backbone(config.object("backbone"));
  result.head = head.text("kind") == "concat-pool" ? model::ClassifierHead::kConcatPool
                                                   : model::ClassifierHead::kLinear;
  result.head_hidden = head.integer("hidden");
  result.num_classes = config.value("classNames").As<Napi::Array>().Length();
  result.normalize = read_normalize(config);
  if (config.has("resize")) {
    const auto resize = config.object("resize");
    result.resize =
        resize.text("method") == "crop" ? model::ResizeMethod::kCrop : model::ResizeMethod::kSquish;
    result.resize_width = resize.integer("width");
    result.resize_height = resize.integer("height");
  }
  return result;
}

io::Intensity read_intensity(const Napi::Value& value) {
  const Fields intensity(value, "intensity");
  const auto kind = intensity.text("kind");
  io::Intensity result;
  result.kind = kind == "min-max"      ? io::Intensity::Kind::kMinMax
                : kind == "percentile" ? io::Intensity::Kind::kPercentile
                                       : io::Intensity::Kind::kTypeRange;
  result.low = intensity.number("low");
  result.high = intensity.number("high");
  return result;
}

}  // namespace cellroute::addon
