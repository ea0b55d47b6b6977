#include "model/mask_rcnn.h"

#include <memory>
#include <string>
#include <vector>

#include "error.h"
#include "small_network.h"
#include "tensors.h"

namespace mask_rcnn_test {

using namespace cellroute::model;
using cellroute::test::small_config;

namespace {

MaskRcnn network_of(const MaskRcnnConfig& config) {
  torch::manual_seed(11);
  MaskRcnn network(config);
  network->eval();
  return network;
}

/** A network with detections everywhere. */
MaskRcnnConfig eager_config() {
  auto config = small_config();
  config.box.score_threshold = 0;
  config.box.nms_threshold = 0.9;
  return config;
}

void check_shapes(const Detections& found, int64_t height, int64_t width) {
  const int64_t count = found.boxes.size(0);
  CHECK(found.boxes.sizes() == torch::IntArrayRef({count, 4}));
  CHECK(found.scores.sizes() == torch::IntArrayRef({count}));
  CHECK((found.labels.scalar_type() == torch::kInt64));
  CHECK(found.mask_probabilities.sizes() == torch::IntArrayRef({count, 28, 28}));
  if (count == 0) return;
  CHECK(found.boxes.min().item<double>() >= 0);
  CHECK(found.boxes.select(1, 2).max().item<double>() <= static_cast<double>(width) + 1e-3);
  CHECK(found.boxes.select(1, 3).max().item<double>() <= static_cast<double>(height) + 1e-3);
  CHECK(found.labels.min().item<int64_t>() >= 1);
  CHECK(found.labels.max().item<int64_t>() <= 2);
  CHECK((found.scores.slice(0, 1) <= found.scores.slice(0, 0, count - 1)).all().item<bool>());
}

}  // namespace

TEST_CASE("Mask R-CNN: images of any size, down to one pixel") {
  auto config = eager_config();
  SUBCASE("original size") {}
  SUBCASE("resized") { config.resize = {.min_size = 48, .max_size = 96, .scale = {}}; }
  SUBCASE("unpadded") { config.size_divisible = 1; }
  auto network = network_of(config);
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 90}, {3, 2}, {33, 47}, {64, 64}}) {
    const auto found =
        network->detect({torch::rand({3, height, width})}, DetectOptions::of(config));
    REQUIRE(found.size() == 1);
    check_shapes(found[0], height, width);
  }
}

TEST_CASE("Mask R-CNN: no detections") {
  const auto config = small_config();
  auto network = network_of(config);
  auto options = DetectOptions::of(config);
  SUBCASE("no box above the threshold") { options.score_threshold = 1; }
  SUBCASE("no proposal above the threshold") { options.rpn_score_threshold = 1.1; }
  const auto found = network->detect({torch::rand({3, 40, 40})}, options);
  CHECK(found[0].boxes.size(0) == 0);
  check_shapes(found[0], 40, 40);
  CHECK_FALSE(found[0].detections_capped);
}

TEST_CASE("Mask R-CNN: reports limits that dropped something") {
  const auto config = eager_config();
  auto network = network_of(config);
  const std::vector<torch::Tensor> images{torch::rand({3, 64, 64})};
  auto options = DetectOptions::of(config);
  options.detections_per_image = 100000;
  const auto all = network->detect(images, options)[0];
  REQUIRE(all.scores.size(0) > 5);
  CHECK_FALSE(all.detections_capped);

  options.detections_per_image = all.scores.size(0);
  CHECK_FALSE(network->detect(images, options)[0].detections_capped);
  options.detections_per_image = 5;
  const auto few = network->detect(images, options)[0];
  CHECK(few.detections_capped);
  CHECK(cellroute::test::same(few.scores, all.scores.narrow(0, 0, 5)));

  options.rpn_post_nms_top_n = 3;
  CHECK(network->detect(images, options)[0].proposals_capped);
}

TEST_CASE("Mask R-CNN: many detections are processed in chunks, each with its own mask") {
  auto config = eager_config();
  config.box.detections_per_image = 300;
  auto network = network_of(config);
  const auto image = torch::rand({3, 64, 64});
  const auto found = network->detect({image}, DetectOptions::of(config))[0];
  REQUIRE(found.scores.size(0) > 64);

  // All together, for the class of each detection.
  const torch::NoGradGuard no_grad;
  const auto batch = network->transform()({image});
  const auto levels = network->roi_levels(network->backbone()(batch.tensors));
  const auto rois = torch::cat({torch::zeros({found.boxes.size(0), 1}), found.boxes}, 1);
  const auto masks =
      network->roi_heads()
          ->predict_masks(network->roi_heads()->pool_masks(levels, rois, batch.sizes))
          .sigmoid();
  for (const int64_t i : {int64_t{0}, int64_t{63}, int64_t{64}, found.scores.size(0) - 1}) {
    CHECK(torch::allclose(found.mask_probabilities[i], masks[i][found.labels[i].item<int64_t>()],
                          1e-4, 1e-5));
  }
}

TEST_CASE("Mask R-CNN: images of one size have equal results alone and in a batch") {
  const auto config = eager_config();
  auto network = network_of(config);
  const std::vector<torch::Tensor> images{torch::rand({3, 64, 64}), torch::rand({3, 64, 64})};
  const auto together = network->detect(images, DetectOptions::of(config));
  REQUIRE(together.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    const auto alone = network->detect({images[i]}, DetectOptions::of(config))[0];
    CHECK(torch::allclose(together[i].scores, alone.scores, 1e-3, 1e-5));
  }
}

TEST_CASE("Mask R-CNN: stages are reported in order, and a cancelled job stops") {
  const auto config = eager_config();
  auto network = network_of(config);
  std::vector<std::string> stages;
  double last = -1;
  const auto flag = std::make_shared<cellroute::CancelFlag>();
  const cellroute::JobContext poll(flag, [&](const char* stage, double fraction) {
    if (stages.empty() || stages.back() != stage) stages.emplace_back(stage);
    CHECK(fraction >= last);
    CHECK(fraction <= 1);
    last = fraction;
    if (stages.back() == "boxes") flag->cancel();
  });
  CHECK_THROWS_AS(network->detect({torch::rand({3, 64, 64})}, DetectOptions::of(config), poll),
                  cellroute::Cancelled);
  CHECK((stages == std::vector<std::string>{"transform", "backbone", "proposals", "boxes"}));
}

TEST_CASE("Mask R-CNN: refuses inconsistent configurations, and training mode") {
  const auto refused = [](auto change) {
    auto config = small_config();
    change(config);
    CHECK_THROWS_AS(MaskRcnn{config}, cellroute::Error);
  };
  refused([](auto& config) { config.extra_level = false; });
  refused([](auto& config) { config.returned_layers = {2, 1, 3}; });
  refused([](auto& config) { config.num_classes = 1; });
  refused([](auto& config) { config.backbone.depth = 19; });
  refused([](auto& config) { config.box.regression_weights = {1, 1}; });
  refused([](auto& config) { config.backbone.norm = {NormKind::kGroup, 1e-5, 3}; });

  auto network = network_of(small_config());
  network->train();
  CHECK_THROWS_AS(network->detect({torch::rand({3, 32, 32})}, DetectOptions::of(small_config())),
                  c10::Error);
}

TEST_CASE("Mask R-CNN: every norm works, and trainable parameters get gradients") {
  for (const auto kind : {NormKind::kFrozenBatch, NormKind::kBatch, NormKind::kGroup}) {
    auto config = small_config();
    config.backbone.norm = {.kind = kind, .eps = 1e-5, .groups = 4};
    auto network = network_of(config);
    network->train();
    const auto levels = network->backbone()(torch::rand({2, 3, 64, 64}));
    const auto predictions = network->rpn()->head()(levels);
    const auto rois =
        torch::tensor({{0.0F, 4.0F, 4.0F, 40.0F, 30.0F}, {1.0F, 0.0F, 0.0F, 8.0F, 9.0F}});
    const std::vector<ImageSize> sizes{{64, 64}, {64, 64}};
    auto& heads = network->roi_heads();
    const auto pooled = network->roi_levels(levels);
    const auto boxes = heads->predict_boxes(heads->pool_boxes(pooled, rois, sizes));
    auto total = heads->predict_masks(heads->pool_masks(pooled, rois, sizes)).square().sum() +
                 boxes.class_logits.square().sum() + boxes.box_regression.square().sum();
    for (const auto& map : predictions.objectness) total = total + map.square().sum();
    for (const auto& map : predictions.deltas) total = total + map.square().sum();
    total.backward();
    for (const auto& item : network->named_parameters()) {
      INFO(item.key());
      CHECK(item.value().grad().defined());
    }
  }
}

}  // namespace mask_rcnn_test
