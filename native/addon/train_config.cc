#include "addon/train_config.h"

namespace cellroute::addon {

train::OptimizerConfig read_optimizer(const Fields& fields) {
  train::OptimizerConfig config;
  config.weight_decay = fields.number("weightDecay");
  if (fields.text("kind") == "adamw") {
    config.kind = train::OptimizerConfig::Kind::kAdamW;
    config.beta2 = fields.number("beta2");
    config.eps = fields.number("eps");
  } else {
    config.nesterov = fields.flag("nesterov");
  }
  return config;
}

train::TrainerOptions read_trainer_options(const Fields& fields, torch::Device device) {
  train::TrainerOptions options;
  options.device = device;
  options.deterministic = fields.flag("deterministic");
  options.optimizer = read_optimizer(fields.object("optimizer"));
  options.trainable_layers = fields.integer("trainableLayers");
  options.update_batch_statistics = fields.flag("updateBatchStatistics");
  if (fields.has("averageDecay")) options.average_decay = fields.number("averageDecay");
  if (fields.text("precision") == "bfloat16") options.precision = train::Precision::kBfloat16;
  options.seed = static_cast<uint64_t>(fields.integer("seed"));
  return options;
}

train::SamplingOptions read_sampling(const Fields& fields) {
  return {.rpn_fg_iou = fields.number("rpnFgIou"),
          .rpn_bg_iou = fields.number("rpnBgIou"),
          .rpn_batch_size = fields.integer("rpnBatchSize"),
          .rpn_positive_fraction = fields.number("rpnPositiveFraction"),
          .rpn_pre_nms_top_n = fields.integer("rpnPreNmsTopN"),
          .rpn_post_nms_top_n = fields.integer("rpnPostNmsTopN"),
          .box_fg_iou = fields.number("boxFgIou"),
          .box_bg_iou = fields.number("boxBgIou"),
          .box_batch_size = fields.integer("boxBatchSize"),
          .box_positive_fraction = fields.number("boxPositiveFraction"),
          .skip_resize = fields.flag("skipResize")};
}

train::StepOptions read_step(const Fields& fields) {
  train::StepOptions options{.lr = fields.number("lr"),
                             .momentum = fields.number("momentum"),
                             .max_grad_norm = std::nullopt,
                             .seed = static_cast<uint64_t>(fields.integer("seed"))};
  if (fields.has("maxGradNorm")) options.max_grad_norm = fields.number("maxGradNorm");
  return options;
}

}  // namespace cellroute::addon
