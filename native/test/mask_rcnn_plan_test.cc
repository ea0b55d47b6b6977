#include "infer/mask_rcnn_plan.h"

#include <string>
#include <vector>

#include "small_network.h"
#include "tensors.h"

namespace mask_rcnn_plan_test {

using cellroute::infer::MaskRcnnPlan;
using cellroute::test::small_config;
using namespace cellroute::model;

namespace {

/** Channels for Winograd's algorithm, norms with statistics, and detections everywhere. */
MaskRcnnConfig eager_config(NormKind norm, int64_t depth) {
  auto config = small_config();
  config.backbone = {.depth = depth, .width = 32, .norm = {.kind = norm, .eps = 1e-3, .groups = 4}};
  config.fpn_channels = 32;
  config.rpn.conv_depth = 2;
  config.mask.channels = {32, 40};
  config.box.score_threshold = 0;
  config.box.nms_threshold = 0.9;
  return config;
}

/** Norms have trained statistics, so that folding matters, and values of similar size in all
 *  blocks. */
MaskRcnn network_of(const MaskRcnnConfig& config) {
  torch::manual_seed(17);
  MaskRcnn network(config);
  network->eval();
  const torch::NoGradGuard no_grad;
  const auto disturb = [](const std::string& key, torch::Tensor& value) {
    if (key.ends_with("running_mean")) value.normal_(0, 0.1);
    if (key.ends_with("running_var")) value.uniform_(0.5, 1.5);
    if (key.ends_with("bn3.weight")) value.fill_(0.2);
    if (key.ends_with("bias")) value.add_(torch::randn_like(value), 0.1);
  };
  for (auto& item : network->named_buffers()) disturb(item.key(), item.value());
  for (auto& item : network->named_parameters()) disturb(item.key(), item.value());
  return network;
}

/** Largest difference as a share of the largest value. */
double error(const torch::Tensor& actual, const torch::Tensor& expected) {
  REQUIRE(actual.sizes() == expected.sizes());
  return (actual.to(torch::kFloat64) - expected.to(torch::kFloat64)).abs().max().item<double>() /
         expected.abs().max().item<double>();
}

void check_stages(const MaskRcnnConfig& config, torch::ScalarType compute_dtype, double tolerance) {
  const torch::InferenceMode inference;
  auto network = network_of(config);
  MaskRcnnPlan plan(network, compute_dtype);
  const auto batch = network->transform()({torch::rand({3, 75, 90}), torch::rand({3, 64, 96})});

  auto expected = network->backbone()(batch.tensors);
  auto levels = plan.pyramid(batch.tensors, {});
  REQUIRE(levels.size() == expected.size());
  for (size_t i = 0; i < levels.size(); ++i) {
    CHECK((levels[i].scalar_type() == cellroute::infer::activation_dtype(compute_dtype)));
    CHECK(error(levels[i], expected[i]) < tolerance);
  }
  const auto predictions = network->rpn()->head()(expected);
  const auto proposed = plan.propose(levels);
  for (size_t i = 0; i < levels.size(); ++i) {
    CHECK((proposed.objectness[i].scalar_type() == torch::kFloat32));
    CHECK(error(proposed.objectness[i], predictions.objectness[i]) < tolerance);
    CHECK(error(proposed.deltas[i], predictions.deltas[i]) < tolerance);
    CHECK(error(proposed.flat_deltas(i), predictions.flat_deltas(i)) < tolerance);
  }

  // The heads use the levels without the extra one.
  levels.pop_back();
  expected.pop_back();
  const auto rois = torch::tensor({{0.0F, 4.0F, 4.0F, 40.0F, 30.0F},
                                   {1.0F, 0.0F, 0.0F, 8.0F, 9.0F},
                                   {1.0F, 10.0F, 20.0F, 90.0F, 64.0F}});
  const auto labels = torch::tensor({1, 2, 1}, torch::kInt64);
  auto& heads = network->roi_heads();
  const auto boxes = heads->predict_boxes(heads->pool_boxes(expected, rois, batch.sizes));
  const auto found = plan.predict_boxes(levels, rois, batch.sizes);
  CHECK(error(found.class_logits, boxes.class_logits) < tolerance);
  CHECK(error(found.box_regression, boxes.box_regression) < tolerance);
  const auto masks = mask_probabilities(
      heads->predict_masks(heads->pool_masks(expected, rois, batch.sizes)), labels);
  const auto logit = [](const torch::Tensor& probability) { return probability.logit(1e-2); };
  CHECK(error(logit(plan.predict_masks(levels, rois, labels, batch.sizes)), logit(masks)) <
        tolerance);
}

}  // namespace

TEST_CASE("plan: every stage equals the modules, with every norm and block") {
  for (const int64_t depth : {18, 50}) {
    for (const auto norm : {NormKind::kFrozenBatch, NormKind::kBatch, NormKind::kGroup}) {
      check_stages(eager_config(norm, depth), torch::kFloat32, 2e-4);
    }
  }
}

TEST_CASE("plan: bfloat16 is close to float32, if the processor supports it") {
  if (!cellroute::infer::supports_bfloat16()) return;
  for (const int64_t depth : {18, 50}) {
    for (const auto norm : {NormKind::kBatch, NormKind::kGroup}) {
      check_stages(eager_config(norm, depth), torch::kBFloat16, 0.1);
    }
  }
}

TEST_CASE("plan: int8 is close to float32, if the processor supports it") {
  if (!cellroute::infer::supports_int8()) return;
  for (const int64_t depth : {18, 50}) {
    for (const auto norm : {NormKind::kBatch, NormKind::kGroup}) {
      check_stages(eager_config(norm, depth), torch::kInt8, 0.1);
    }
  }
}

TEST_CASE("plan: detections equal the modules'") {
  const auto config = eager_config(NormKind::kFrozenBatch, 18);
  auto network = network_of(config);
  const torch::InferenceMode inference;
  MaskRcnnPlan plan(network, torch::kFloat32);
  const auto options = DetectOptions::of(config);
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 90}, {33, 47}, {64, 96}}) {
    const auto image = torch::rand({3, height, width});
    const auto expected = network->detect({image}, options)[0];
    const auto found = plan.detect({image}, options, {})[0];
    REQUIRE(found.scores.sizes() == expected.scores.sizes());
    if (found.scores.size(0) == 0) continue;
    CHECK(torch::allclose(found.scores, expected.scores, 1e-3, 1e-4));
    CHECK(found.mask_probabilities.sizes() == expected.mask_probabilities.sizes());
  }
}

TEST_CASE("plan: a scale of a call replaces the network's own resize") {
  auto config = eager_config(NormKind::kFrozenBatch, 18);
  MaskRcnnPlan plan(network_of(config), torch::kFloat32);
  config.resize = ImageResize{.max_size = 1 << 20, .scale = 1.5};
  MaskRcnnPlan resizing(network_of(config), torch::kFloat32);
  const torch::InferenceMode inference;
  const auto image = torch::rand({3, 64, 96});
  auto options = DetectOptions::of(config);
  const auto expected = resizing.detect({image}, options, {})[0];
  options.scale = 1.5;
  const auto found = plan.detect({image}, options, {})[0];
  REQUIRE(found.scores.size(0) > 0);
  CHECK(cellroute::test::same(found.boxes, expected.boxes));
  CHECK(cellroute::test::same(found.scores, expected.scores));
}

TEST_CASE("plan: boxes without masks are those of the detections") {
  const auto config = eager_config(NormKind::kBatch, 18);
  MaskRcnnPlan plan(network_of(config), torch::kFloat32);
  const torch::InferenceMode inference;
  const auto input = torch::rand({3, 64, 96});
  const auto options = DetectOptions::of(config);
  const auto whole = plan.detect_as_resized(input, options, {});
  const auto boxes = plan.boxes_as_resized(input, options, {});
  REQUIRE(boxes.scores.size(0) > 0);
  CHECK(cellroute::test::same(boxes.boxes, whole.boxes));
  CHECK(cellroute::test::same(boxes.scores, whole.scores));
}

TEST_CASE("plan: results do not depend on earlier inputs") {
  const auto config = eager_config(NormKind::kBatch, 50);
  auto network = network_of(config);
  const torch::InferenceMode inference;
  MaskRcnnPlan plan(network, torch::kFloat32);
  const auto image = torch::rand({3, 64, 80});
  const auto first = plan.detect({image}, DetectOptions::of(config), {})[0];
  plan.detect({torch::rand({3, 50, 31})}, DetectOptions::of(config), {});
  const auto second = plan.detect({image}, DetectOptions::of(config), {})[0];
  CHECK(cellroute::test::same(second.boxes, first.boxes));
  CHECK(cellroute::test::same(second.mask_probabilities, first.mask_probabilities));
}

}  // namespace mask_rcnn_plan_test
