#include "train/mask_rcnn_loss.h"

#include <ATen/CPUGeneratorImpl.h>

#include <vector>

#include "errors.h"
#include "mask/pixels.h"
#include "ops/boxes.h"
#include "ops/roi_align.h"
#include "small_network.h"
#include "tensors.h"
#include "train/roi_loss.h"
#include "train/rpn_loss.h"
#include "train/trainable.h"

namespace mask_rcnn_loss_test {

using namespace cellroute;
using namespace cellroute::train;
using cellroute::test::same;

namespace {

namespace functional = torch::nn::functional;

constexpr SamplingOptions kDrawn{.rpn_fg_iou = 0.7,
                                 .rpn_bg_iou = 0.3,
                                 .rpn_batch_size = 64,
                                 .rpn_positive_fraction = 0.5,
                                 .rpn_pre_nms_top_n = 60,
                                 .rpn_post_nms_top_n = 40,
                                 .box_fg_iou = 0.5,
                                 .box_bg_iou = 0.5,
                                 .box_batch_size = 32,
                                 .box_positive_fraction = 0.25,
                                 .skip_resize = false};

/** Both samplers take every candidate. */
SamplingOptions everything() {
  auto options = kDrawn;
  options.rpn_batch_size = options.box_batch_size = 1'000'000'000;
  return options;
}

at::Generator generator(uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

model::MaskRcnn network_of(const model::MaskRcnnConfig& config) {
  torch::manual_seed(11);
  model::MaskRcnn network(config);
  set_trainable(network, 5, true);
  return network;
}

/** Cells as rectangles x1, y1, x2, y2 in an image, alternately with class 1 and 2. */
GroundTruth rectangles(int64_t height, int64_t width,
                       const std::vector<std::array<int64_t, 4>>& cells) {
  std::vector<mask::Rle> masks;
  for (const auto& [x1, y1, x2, y2] : cells) {
    auto pixels = torch::zeros({height, width}, torch::kUInt8);
    pixels.slice(0, y1, y2).slice(1, x1, x2).fill_(1);
    masks.push_back(
        mask::encode({pixels.const_data_ptr<uint8_t>(), static_cast<size_t>(pixels.numel())},
                     static_cast<uint32_t>(height), static_cast<uint32_t>(width)));
  }
  const auto count = static_cast<int64_t>(cells.size());
  return make_ground_truth(std::move(masks), torch::arange(count) % 2 + 1);
}

std::vector<torch::Tensor> values(const MaskRcnnLosses& losses) {
  return {losses.classifier, losses.box_reg, losses.mask, losses.objectness, losses.rpn_box_reg};
}

/** Checks a step: finite losses, and a finite gradient for every parameter. */
MaskRcnnLosses check_step(model::MaskRcnn& network, const std::vector<torch::Tensor>& images,
                          const std::vector<GroundTruth>& ground_truths,
                          const SamplingOptions& options) {
  network->zero_grad();
  auto losses = mask_rcnn_losses(network, images, ground_truths, options, generator(7));
  for (const auto& loss : values(losses)) {
    CHECK(loss.dim() == 0);
    CHECK(loss.isfinite().item<bool>());
  }
  losses.total().backward();
  for (const auto& item : network->named_parameters()) {
    CAPTURE(item.key());
    REQUIRE(item.value().grad().defined());
    CHECK(item.value().grad().isfinite().all().item<bool>());
  }
  return losses;
}

bool is_zero(const torch::Tensor& loss) { return loss.item<double>() == 0; }

std::vector<std::array<int64_t, 4>> grid(int64_t side, int64_t step, int64_t size) {
  std::vector<std::array<int64_t, 4>> cells;
  for (int64_t y = 0; y + size <= side; y += step) {
    for (int64_t x = 0; x + size <= side; x += step) cells.push_back({x, y, x + size, y + size});
  }
  return cells;
}

}  // namespace

TEST_CASE("losses: images without cells, alone and in a batch with others") {
  auto network = network_of(test::small_config());
  const auto images = std::vector{torch::rand({3, 64, 64}), torch::rand({3, 48, 80})};
  const auto empty = std::vector{rectangles(64, 64, {}), rectangles(48, 80, {})};
  for (const auto& options : {kDrawn, everything()}) {
    const auto losses = check_step(network, images, empty, options);
    CHECK(is_zero(losses.mask));
    CHECK(is_zero(losses.box_reg));
    CHECK(is_zero(losses.rpn_box_reg));
    CHECK_FALSE(is_zero(losses.classifier));
    CHECK_FALSE(is_zero(losses.objectness));
    const auto mixed =
        check_step(network, images, {empty[0], rectangles(48, 80, {{10, 10, 30, 25}})}, options);
    CHECK_FALSE(is_zero(mixed.mask));
  }
}

TEST_CASE("losses: cells of one pixel, also if a resize makes them smaller") {
  auto config = test::small_config();
  SUBCASE("original size") {}
  SUBCASE("grown") { config.resize = {.min_size = 96, .max_size = 200, .scale = {}}; }
  SUBCASE("shrunk") { config.resize = {.min_size = 24, .max_size = 48, .scale = {}}; }
  auto network = network_of(config);
  const auto ground_truth = rectangles(64, 64, {{0, 0, 1, 1}, {63, 63, 64, 64}, {31, 20, 32, 21}});
  const auto losses = check_step(network, {torch::rand({3, 64, 64})}, {ground_truth}, everything());
  CHECK_FALSE(is_zero(losses.mask));
}

TEST_CASE("losses: a thousand cells, and one that covers the whole image") {
  auto network = network_of(test::small_config());
  const auto dense = grid(128, 4, 3);
  REQUIRE(dense.size() > 1000);
  check_step(network, {torch::rand({3, 128, 128})}, {rectangles(128, 128, dense)}, kDrawn);
  check_step(network, {torch::rand({3, 40, 56})}, {rectangles(40, 56, {{0, 0, 56, 40}})}, kDrawn);
  check_step(network, {torch::rand({3, 1, 1})}, {rectangles(1, 1, {{0, 0, 1, 1}})}, kDrawn);
}

TEST_CASE("losses: samples keep their size if the resize is skipped") {
  auto config = test::small_config();
  const std::vector images{torch::rand({3, 64, 80})};
  const std::vector ground_truths{rectangles(64, 80, {{10, 10, 30, 25}, {40, 5, 70, 60}})};
  auto plain = network_of(config);
  config.resize = {.min_size = 96, .max_size = 200, .scale = {}};
  auto resizing = network_of(config);
  auto options = everything();
  options.skip_resize = true;
  const auto expected =
      values(mask_rcnn_losses(plain, images, ground_truths, options, generator(7)));
  const auto skipped =
      values(mask_rcnn_losses(resizing, images, ground_truths, options, generator(7)));
  const auto resized =
      values(mask_rcnn_losses(resizing, images, ground_truths, everything(), generator(7)));
  for (size_t i = 0; i < expected.size(); ++i) CHECK(same(skipped[i], expected[i]));
  CHECK_FALSE(same(resized[0], expected[0]));
}

TEST_CASE("losses: no samples at all") {
  auto network = network_of(test::small_config());
  auto options = kDrawn;
  options.rpn_batch_size = options.box_batch_size = 0;
  const auto ground_truth = rectangles(64, 64, {{4, 4, 20, 20}});
  for (const auto& loss :
       values(check_step(network, {torch::rand({3, 64, 64})}, {ground_truth}, options))) {
    CHECK(is_zero(loss));
  }
}

TEST_CASE("losses: random choices depend only on the generator") {
  auto network = network_of(test::small_config());
  const std::vector<torch::Tensor> images{torch::rand({3, 96, 96})};
  const std::vector<GroundTruth> ground_truths{rectangles(96, 96, grid(96, 24, 16))};
  const auto run = [&](uint64_t seed) {
    torch::manual_seed(seed + 40);
    return torch::stack(
        values(mask_rcnn_losses(network, images, ground_truths, kDrawn, generator(seed))));
  };
  CHECK(same(run(1), run(1)));
  CHECK_FALSE(same(run(1), run(2)));
}

TEST_CASE("losses: ground truth that does not fit its image is refused") {
  auto network = network_of(test::small_config());
  const std::vector<torch::Tensor> images{torch::rand({3, 64, 64})};
  const auto refused = [&](const GroundTruth& ground_truth) {
    CHECK(test::code_of([&] {
            mask_rcnn_losses(network, images, {ground_truth}, kDrawn, generator(1));
          }) == "INVALID_ARGUMENT");
  };
  const auto good = rectangles(64, 64, {{4, 4, 20, 20}});
  refused(rectangles(64, 60, {{4, 4, 20, 20}}));
  refused({good.boxes, good.labels + 2, good.masks});
  refused({good.boxes, good.labels - 1, good.masks});
  refused({good.boxes, good.labels, {}});
  refused({good.boxes.slice(1, 0, 2), good.labels, good.masks});
  refused({torch::tensor({{4.0F, 4.0F, 4.0F, 20.0F}}), good.labels, good.masks});
  CHECK(test::code_of([] {
          make_ground_truth({mask::Rle{4, 4, {16}}}, torch::ones({1}, torch::kInt64));
        }) == "INVALID_ARGUMENT");
}

TEST_CASE("losses: a cancelled step stops between its stages") {
  auto network = network_of(test::small_config());
  const auto flag = std::make_shared<CancelFlag>();
  const JobContext poll(flag, [&](const char*, double fraction) {
    if (fraction > 0.2) flag->cancel();
  });
  const auto ground_truth = rectangles(64, 64, {{4, 4, 20, 20}});
  CHECK_THROWS_AS(mask_rcnn_losses(network, {torch::rand({3, 64, 64})}, {ground_truth}, kDrawn,
                                   generator(1), poll),
                  Cancelled);
}

TEST_CASE("RPN losses equal torchvision's formulas over all anchors") {
  auto config = test::small_config();
  auto network = network_of(config);
  model::RpnPredictions predictions;
  for (const auto& [h, w] : {std::pair{16, 24}, {8, 12}, {4, 6}, {2, 3}}) {
    predictions.objectness.push_back(torch::randn({2, 3, h, w}));
    predictions.deltas.push_back(torch::randn({2, 12, h, w}));
  }
  const std::vector<torch::Tensor> boxes{
      torch::tensor({{3.0F, 5.0F, 20.0F, 17.0F}, {40.0F, 9.0F, 70.0F, 44.0F}}),
      torch::empty({0, 4})};
  const auto& rpn = *network->rpn();
  std::vector<torch::Tensor> logits, deltas, anchors;
  for (size_t i = 0; i < predictions.objectness.size(); ++i) {
    logits.push_back(predictions.flat_objectness(i));
    deltas.push_back(predictions.flat_deltas(i));
    anchors.push_back(rpn.anchor_generator()(
        i, {predictions.objectness[i].size(2), predictions.objectness[i].size(3)}, {64, 96}));
  }
  const auto all = torch::cat(anchors);
  const auto iou = ops::box_iou(boxes[0], all);
  const auto [quality, best] = iou.max(0);
  const auto lowest = (iou == std::get<0>(iou.max(1)).unsqueeze(1)).any(0);
  const auto positive = (quality >= 0.7).logical_or(lowest);
  const auto asked = positive.logical_or(quality < 0.3);
  const auto first = torch::cat(logits, 1)[0], second = torch::cat(logits, 1)[1];
  const auto chosen = torch::cat({first.masked_select(asked), second});
  const auto ground_truth =
      torch::cat({positive.masked_select(asked).to(torch::kFloat32), torch::zeros_like(second)});
  const auto objectness = functional::binary_cross_entropy_with_logits(chosen, ground_truth);

  const auto index = positive.nonzero().squeeze(1);
  const auto targets = model::BoxCoder({1, 1, 1, 1})
                           .encode(boxes[0].index_select(0, best.index_select(0, index)),
                                   all.index_select(0, index));
  const auto step = (torch::cat(deltas, 1)[0].index_select(0, index) - targets).abs();
  const auto smooth = torch::where(step < 1.0 / 9, 4.5 * step.square(), step - 1.0 / 18);
  const auto box_reg = smooth.sum() / chosen.size(0);
  for (const auto& losses :
       {rpn_losses(rpn.box_coder(), predictions, anchors, boxes, everything(), generator(1)),
        rpn_losses_padded(rpn.box_coder(), predictions, anchors, boxes, everything())}) {
    CHECK(torch::allclose(losses.objectness, objectness, 1e-5, 1e-6));
    CHECK(torch::allclose(losses.box_reg, box_reg, 1e-5, 1e-6));
  }
}

TEST_CASE("padded RPN losses have gradients at sampled anchors only, and none without cells") {
  auto network = network_of(test::small_config());
  const auto& rpn = *network->rpn();
  model::RpnPredictions predictions{{torch::randn({1, 3, 6, 5}, torch::requires_grad())},
                                    {torch::randn({1, 12, 6, 5}, torch::requires_grad())}};
  const auto anchors = rpn.anchor_generator()(0, {6, 5}, {24, 20});
  auto options = everything();
  options.rpn_batch_size = 10;
  for (const auto& boxes : {torch::empty({0, 4}), torch::tensor({{3.0F, 5.0F, 20.0F, 17.0F}})}) {
    for (auto* maps : {&predictions.objectness, &predictions.deltas})
      (*maps)[0].mutable_grad().reset();
    const auto losses =
        rpn_losses_padded(rpn.box_coder(), predictions, {anchors}, {boxes}, options);
    (losses.objectness + losses.box_reg).backward();
    CHECK(predictions.objectness[0].grad().count_nonzero().item<int64_t>() == 10);
    const auto moved = predictions.deltas[0].grad().count_nonzero().item<int64_t>();
    CHECK((moved > 0) == (boxes.size(0) > 0));
    CHECK(losses.box_reg.isfinite().item<bool>());
  }
}

TEST_CASE("box and mask losses equal torchvision's formulas, proposal by proposal") {
  const auto ground_truth = rectangles(40, 60, {{5, 5, 20, 25}, {30, 10, 50, 20}, {0, 0, 60, 40}});
  const auto proposals = torch::tensor({{6.0F, 5.0F, 21.0F, 24.0F},
                                        {29.0F, 9.0F, 52.0F, 22.0F},
                                        {50.0F, 30.0F, 58.0F, 39.0F},
                                        {1.0F, 1.0F, 59.0F, 38.0F}});
  const auto examples = choose_rois({proposals}, {ground_truth.boxes}, {ground_truth.labels},
                                    everything(), generator(1))
                            .front();
  // The cells' own boxes are last; no IoU is between the thresholds.
  CHECK(same(examples.boxes, torch::cat({proposals, ground_truth.boxes})));
  CHECK(same(examples.labels, torch::tensor({1, 2, 0, 1, 1, 2, 1}, torch::kInt64)));
  const auto cells = examples.positive();
  CHECK(same(cells.matched, torch::tensor({0, 1, 2, 0, 1, 2}, torch::kInt64)));

  torch::manual_seed(2);
  const model::BoxPredictions predictions{torch::randn({7, 3}), torch::randn({7, 12})};
  const model::BoxCoder coder({10, 10, 5, 5});
  const auto box = box_losses(coder, predictions, {examples}, {ground_truth.boxes});
  double classes = 0, offsets = 0;
  for (int64_t i = 0, k = 0; i < 7; ++i) {
    const auto label = examples.labels[i].item<int64_t>();
    classes -= predictions.class_logits[i].log_softmax(0)[label].item<double>();
    if (label == 0) continue;
    const auto wanted =
        coder.encode(ground_truth.boxes[cells.matched[k].item<int64_t>()].unsqueeze(0),
                     cells.boxes[k].unsqueeze(0));
    const auto step =
        (predictions.box_regression[i].slice(0, 4 * label, 4 * label + 4) - wanted[0]).abs();
    offsets +=
        torch::where(step < 1.0 / 9, 4.5 * step.square(), step - 1.0 / 18).sum().item<double>();
    ++k;
  }
  CHECK(box.classifier.item<double>() == doctest::Approx(classes / 7));
  CHECK(box.box_reg.item<double>() == doctest::Approx(offsets / 7));

  const auto logits = torch::randn({6, 3, 8, 8});
  double mask = 0;
  for (int64_t k = 0; k < 6; ++k) {
    auto pixels = torch::zeros({1, 1, 40, 60});
    const auto corner = ground_truth.boxes[cells.matched[k].item<int64_t>()];
    pixels.slice(2, corner[1].item<int64_t>(), corner[3].item<int64_t>())
        .slice(3, corner[0].item<int64_t>(), corner[2].item<int64_t>())
        .fill_(1);
    const auto roi = torch::cat({torch::zeros({1}), cells.boxes[k]}).unsqueeze(0);
    const auto target = ops::roi_align(pixels, roi, 1, 8, 8, -1, false)[0][0];
    mask += functional::binary_cross_entropy_with_logits(logits[k][cells.labels[k].item<int64_t>()],
                                                         target)
                .item<double>();
  }
  CHECK(mask_loss(logits, {cells}, {ground_truth}, {{40, 60}}).item<double>() ==
        doctest::Approx(mask / 6));
}

}  // namespace mask_rcnn_loss_test
