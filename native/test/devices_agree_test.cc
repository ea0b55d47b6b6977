// Compares CPU and GPU in float32 without TF32: results agree within 1e-4.
#include <torch/csrc/autograd/autograd.h>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cuda/staged_input.h"
#include "gpu.h"
#include "infer/mask_rcnn_plan.h"
#include "infer/segment.h"
#include "io/pixels.h"
#include "ops/boxes.h"
#include "ops/conv_relu.h"
#include "ops/nms.h"
#include "ops/paste.h"
#include "ops/roi_align.h"
#include "ops/roi_align_levels.h"
#include "small_network.h"
#include "tensors.h"
#include "train/deterministic.h"
#include "train/matcher.h"
#include "train/optimizer.h"
#include "train/segmenter_trainer.h"

namespace devices_agree_test {

using namespace cellroute;
using test::gpu;
using test::no_gpu;
using test::relative_error;

namespace {

constexpr double kTolerance = 1e-4;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/** Two images of 96 x 80 with boxes inside, across the border, outside, empty and NaN. */
struct Pyramid {
  std::vector<torch::Tensor> maps;
  std::vector<double> scales{0.25, 0.125, 0.0625};
  torch::Tensor rois, level;

  explicit Pyramid(int64_t channels) {
    torch::manual_seed(channels);
    for (const int64_t stride : {4, 8, 16}) {
      maps.push_back(torch::randn({2, channels, 96 / stride, 80 / stride}));
    }
    const auto corner = torch::rand({60, 2}) * 110 - 20;
    rois = torch::cat({torch::randint(0, 2, {60, 1}).to(torch::kFloat32), corner,
                       corner + torch::rand({60, 2}) * 60},
                      1);
    rois[1] = torch::tensor({1.0F, 500.0F, 500.0F, 600.0F, 600.0F});
    rois[2] = torch::tensor({0.0F, 9.0F, 9.0F, 9.0F, 9.0F});
    rois[3] = torch::tensor({0.0F, kNan, 0.0F, 9.0F, 9.0F});
    rois[4] = torch::tensor({0.0F, -1e9F, -1e9F, 1e9F, 1e9F});
    level = torch::randint(0, 3, {60}, torch::kInt64);
  }

  /** Pooled features, and the maps' gradients of the sum of their squares. */
  std::vector<torch::Tensor> pooled_on(torch::Device device, int64_t ratio) const {
    std::vector<torch::Tensor> own;
    for (const auto& map : maps) own.push_back(map.to(device).detach().requires_grad_());
    const auto pooled = ops::roi_align_levels(own, scales, rois.to(device), level.to(device), 7,
                                              ratio, /*aligned=*/false);
    auto results = torch::autograd::grad({pooled.square().sum()}, own);
    results.push_back(pooled);
    return results;
  }
};

torch::Tensor random_boxes(int64_t count) {
  const auto corner = torch::rand({count, 2}) * 200;
  return torch::cat({corner, corner + torch::rand({count, 2}) * 40}, 1);
}

}  // namespace

TEST_CASE("GPU: RoIAlign and its gradients equal the CPU's" * doctest::skip(no_gpu())) {
  const Tf32 tf32(false);
  for (const int64_t channels : {1, 33, 256}) {
    const Pyramid pyramid(channels);
    for (const int64_t ratio : {2, -1}) {
      const auto expected = pyramid.pooled_on(torch::kCPU, ratio);
      for (const bool deterministic : {false, true}) {
        const train::Deterministic scope(deterministic);
        const auto actual = pyramid.pooled_on(gpu(), ratio);
        for (size_t i = 0; i < expected.size(); ++i) {
          CHECK(relative_error(actual[i], expected[i]) < kTolerance);
        }
        if (!deterministic) continue;
        const auto again = pyramid.pooled_on(gpu(), ratio);
        for (size_t i = 0; i < expected.size(); ++i) CHECK(test::same(actual[i], again[i]));
      }
    }
  }
}

TEST_CASE("GPU: a convolution with ReLU, and its gradients, equal the CPU's" *
          doctest::skip(no_gpu())) {
  const Tf32 tf32(false);
  for (const bool with_residual : {false, true}) {
    for (const int64_t stride : {1, 2}) {
      torch::manual_seed(stride);
      const std::vector<torch::Tensor> inputs{
          torch::randn({2, 6, 11, 9}), torch::randn({8, 6, 3, 3}), torch::randn({8}),
          torch::randn({2, 8, stride == 1 ? 11 : 6, stride == 1 ? 9 : 5})};
      const auto run = [&](torch::Device device, const auto& convolution) {
        std::vector<torch::Tensor> leaves;
        for (const auto& input : inputs)
          leaves.push_back(input.to(device).detach().requires_grad_());
        const auto y = convolution(leaves);
        (y * torch::linspace(-1, 1, y.numel(), y.options()).view_as(y)).sum().backward();
        std::vector<torch::Tensor> results{y.detach().cpu()};
        for (const auto& leaf : leaves) {
          if (leaf.grad().defined()) results.push_back(leaf.grad().cpu());
        }
        return results;
      };
      const auto expected = run(torch::kCPU, [&](const auto& t) {
        const auto y = torch::conv2d(t[0], t[1], t[2], stride, 1);
        return (with_residual ? y + t[3] : y).relu();
      });
      // Reused memory holds NaN, so a kernel that reads its result's memory is noticed.
      torch::full_like(expected[0], kNan, gpu());
      const auto actual = run(gpu(), [&](const auto& t) {
        return ops::conv_relu(t[0].contiguous(at::MemoryFormat::ChannelsLast), t[1], t[2],
                              with_residual ? t[3] : torch::Tensor(), stride, 1);
      });
      REQUIRE(actual.size() == expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        CHECK(relative_error(actual[i], expected[i]) < kTolerance);
      }
    }
  }
}

TEST_CASE("GPU: a staged tensor is complete when read, and read before its memory is reused" *
          doctest::skip(no_gpu())) {
  constexpr int64_t kSize = 1 << 20;
  const auto matrix = torch::randn({4096, 4096}, gpu());
  const auto keep_busy = [&] {
    for (int i = 0; i < 4; ++i) torch::mm(matrix, matrix);
  };
  auto sum = torch::zeros({kSize}, gpu());
  for (int64_t i = 1; i <= 20; ++i) {
    const auto sent = torch::full({kSize}, i, torch::dtype(torch::kFloat32).pinned_memory(true));
    const auto ahead = cuda::StagedInput::start([&] {
      keep_busy();
      return sent.to(gpu(), /*non_blocking=*/true) * 2;
    });
    // Half of them are read immediately, the others after the next one was started.
    const auto value = ahead->get();
    if (i % 2 == 0) keep_busy();
    sum.add_(value);
  }
  CHECK((sum == 20.0 * 21).all().item<bool>());
}

TEST_CASE("GPU: a prefetched image gives the same cells as one copied when needed" *
          doctest::skip(no_gpu())) {
  torch::manual_seed(3);
  auto config = test::small_config();
  config.box.score_threshold = 0;
  model::MaskRcnn network(config);
  network->eval();
  network->to(gpu());
  infer::MaskRcnnPlan plan(network, torch::kFloat32);
  const infer::SegmentOptions options{.intensity = {.kind = io::Intensity::Kind::kMinMax},
                                      .detect = model::DetectOptions::of(config),
                                      .max_lost = std::nullopt};
  for (const auto type : {io::Image::Type::kU8, io::Image::Type::kU16}) {
    io::Image image{.type = type, .bytes = {}, .width = 90, .height = 70, .channels = 1};
    const int64_t bytes = image.width * image.height * (type == io::Image::Type::kU8 ? 1 : 2);
    for (int64_t i = 0; i < bytes; ++i) image.bytes.push_back(uint8_t(i * i % 251));
    const auto cells = [&](bool early) {
      std::vector<infer::Input> inputs;
      inputs.push_back({.image = &image});
      if (early) inputs[0].ahead = infer::prefetch_to_device(image, options.intensity, gpu());
      return infer::segment(plan, std::move(inputs), options, {})[0];
    };
    const auto expected = cells(false);
    const auto actual = cells(true);
    CHECK(expected.scores.size() > 0);
    CHECK(actual.scores == expected.scores);
    CHECK(actual.boxes == expected.boxes);
  }
}

TEST_CASE("GPU: RoIAlign of one map, of float64, and without boxes" * doctest::skip(no_gpu())) {
  torch::manual_seed(4);
  const auto map = torch::randn({2, 5, 20, 24}, torch::kFloat64);
  for (const int64_t count : {0, 9}) {
    const auto rois = torch::cat({torch::randint(0, 2, {count, 1}).to(torch::kFloat64),
                                  random_boxes(count).to(torch::kFloat64)},
                                 1);
    const auto pool = [&](torch::Device device) {
      const auto own = map.to(device).detach().requires_grad_();
      const auto pooled = ops::roi_align(own, rois.to(device), 0.1, 3, 5, 2, true);
      return std::vector{pooled, torch::autograd::grad({pooled.square().sum()}, {own})[0]};
    };
    const auto expected = pool(torch::kCPU), actual = pool(gpu());
    for (size_t i = 0; i < 2; ++i) CHECK(relative_error(actual[i], expected[i]) < 1e-10);
  }
}

TEST_CASE("GPU: a RoI with an invalid image index gives zeros" * doctest::skip(no_gpu())) {
  const auto map = torch::ones({1, 2, 8, 8}, gpu());
  const auto rois = torch::tensor({{1.0F, 0.0F, 0.0F, 4.0F, 4.0F},
                                   {-1.0F, 0.0F, 0.0F, 4.0F, 4.0F},
                                   {kNan, 0.0F, 0.0F, 4.0F, 4.0F}})
                        .to(gpu());
  CHECK(ops::roi_align(map, rois, 1, 2, 2, 2, false).eq(0).all().item<bool>());
}

TEST_CASE("GPU: NMS and IoU equal the CPU's" * doctest::skip(no_gpu())) {
  for (const int64_t count : {0, 1, 63, 64, 65, 1000, 5000}) {
    CAPTURE(count);
    torch::manual_seed(count);
    auto boxes = random_boxes(count);
    if (count > 60) boxes[7] = torch::full({4}, kNan);
    // With equal scores.
    const auto scores = (torch::rand({count}) * 50).floor();
    const auto groups = torch::randint(0, 4, {count}, torch::kInt64);
    for (const double threshold : {0.0, 0.5, 1.0}) {
      CHECK(test::same(ops::nms(boxes.to(gpu()), scores.to(gpu()), threshold).cpu(),
                       ops::nms(boxes, scores, threshold)));
      CHECK(test::same(
          ops::batched_nms(boxes.to(gpu()), scores.to(gpu()), groups.to(gpu()), threshold).cpu(),
          ops::batched_nms(boxes, scores, groups, threshold)));
    }
    const auto some = boxes.narrow(0, 0, std::min<int64_t>(count, 40));
    CHECK(
        test::same(ops::box_iou(some.to(gpu()), boxes.to(gpu())).cpu(), ops::box_iou(some, boxes)));
  }
}

TEST_CASE("GPU: pixels equal the CPU's" * doctest::skip(no_gpu())) {
  for (const auto type : {io::Image::Type::kU8, io::Image::Type::kU16, io::Image::Type::kF32}) {
    for (const int64_t channels : {1, 2, 3, 4}) {
      io::Image image{.type = type, .bytes = {}, .width = 7, .height = 5, .channels = channels};
      image.bytes.resize(35 * channels * io::bytes_per_value(type));
      for (size_t i = 0; i < image.bytes.size(); ++i) {
        // No float made of these bytes is infinite.
        image.bytes[i] = static_cast<uint8_t>(i % 4 == 3 ? 0x3f : i * 37);
      }
      for (const auto kind : {io::Intensity::Kind::kTypeRange, io::Intensity::Kind::kPercentile}) {
        const io::Intensity intensity{.kind = kind, .low = 2, .high = 98};
        CHECK(test::same(io::to_float(image, intensity, gpu()).cpu(),
                         io::to_float(image, intensity)));
      }
    }
  }
}

TEST_CASE("GPU: matching equals the CPU's" * doctest::skip(no_gpu())) {
  torch::manual_seed(9);
  const auto ground_truths = random_boxes(37);
  auto candidates = torch::cat({random_boxes(3000), ground_truths});
  for (const bool low_quality : {false, true}) {
    const train::MatchOptions options{0.7, 0.3, low_quality};
    CHECK(
        test::same(train::match_boxes(ground_truths.to(gpu()), candidates.to(gpu()), options).cpu(),
                   train::match_boxes(ground_truths, candidates, options)));
  }
}

TEST_CASE("GPU: optimizer steps equal the CPU's" * doctest::skip(no_gpu())) {
  for (const auto kind :
       {train::OptimizerConfig::Kind::kSgd, train::OptimizerConfig::Kind::kAdamW}) {
    for (const bool nesterov : {false, true}) {
      const auto run = [&](torch::Device device) {
        torch::manual_seed(5);
        io::NamedTensors parameters;
        for (int i = 0; i < 5; ++i) {
          parameters.emplace_back(std::to_string(i), torch::randn({i + 1, 7}).to(device));
        }
        train::Optimizer optimizer({.kind = kind, .weight_decay = 0.01, .nesterov = nesterov},
                                   parameters);
        for (int step = 0; step < 4; ++step) {
          for (auto& [name, parameter] : parameters) {
            const auto grad = torch::randn(parameter.sizes()).to(device);
            // Sometimes one parameter has no gradient.
            parameter.mutable_grad() = name == "3" && step == 1 ? torch::Tensor() : grad;
          }
          optimizer.step(0.01, 0.9);
        }
        return parameters;
      };
      const auto expected = run(torch::kCPU), actual = run(gpu());
      for (size_t i = 0; i < expected.size(); ++i) {
        CHECK(relative_error(actual[i].second, expected[i].second) < 1e-6);
      }
    }
  }
}

TEST_CASE("GPU: masks are bit-identical to the CPU's" * doctest::skip(no_gpu())) {
  for (const int64_t count : {0, 1, 200}) {
    torch::manual_seed(count);
    const auto masks = torch::rand({count, 28, 28});
    auto boxes = random_boxes(count) - 10;
    if (count > 2) boxes[1] = torch::full({4}, kNan);
    if (count > 2) boxes[2] = torch::tensor({-50.0F, -50.0F, 400.0F, 400.0F});
    const auto expected = ops::paste_masks(masks, boxes, 150, 170, 0.5);
    const auto actual = ops::paste_masks(masks.to(gpu()), boxes.to(gpu()), 150, 170, 0.5);
    REQUIRE(actual.size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) CHECK(actual[i].counts == expected[i].counts);
  }
}

TEST_CASE("GPU: the stages of a compiled network equal the CPU's" * doctest::skip(no_gpu())) {
  const torch::InferenceMode inference;
  const Tf32 tf32(false);
  torch::manual_seed(6);
  model::MaskRcnn network(test::small_config());
  network->eval();
  auto copy = model::MaskRcnn(test::small_config());
  copy->eval();
  const auto from = io::named_tensors(*network), to = io::named_tensors(*copy);
  for (size_t i = 0; i < from.size(); ++i) torch::Tensor(to[i].second).copy_(from[i].second);
  copy->to(gpu());
  infer::MaskRcnnPlan on_cpu(network, torch::kFloat32), on_gpu(copy, torch::kFloat32);
  const auto batch = torch::rand({2, 3, 96, 128});
  const auto expected = on_cpu.pyramid(batch, {}), actual = on_gpu.pyramid(batch.to(gpu()), {});
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(relative_error(actual[i], expected[i]) < kTolerance);
  }
  const auto proposed = on_cpu.propose(expected), also = on_gpu.propose(actual);
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(relative_error(also.objectness[i], proposed.objectness[i]) < kTolerance);
    CHECK(relative_error(also.deltas[i], proposed.deltas[i]) < kTolerance);
  }
}

TEST_CASE("GPU: a batch has equal results before, during and after recording" *
          doctest::skip(no_gpu())) {
  const Tf32 tf32(false);
  // The default stream cannot be recorded.
  cuda::enter(0);
  torch::manual_seed(6);
  model::MaskRcnn network(test::small_config());
  network->eval();
  auto copy = model::MaskRcnn(test::small_config());
  copy->eval();
  {
    const torch::NoGradGuard no_grad;
    const auto from = io::named_tensors(*network), to = io::named_tensors(*copy);
    for (size_t i = 0; i < from.size(); ++i) torch::Tensor(to[i].second).copy_(from[i].second);
  }
  copy->to(gpu());
  const torch::InferenceMode inference;
  infer::MaskRcnnPlan on_cpu(network, torch::kFloat32), on_gpu(copy, torch::kFloat32);
  const auto options = model::DetectOptions::of(network->config());
  for (int round = 0; round < 4; ++round) {
    std::vector<torch::Tensor> images, uploaded;
    for (int n = 0; n < 3; ++n) images.push_back(torch::rand({3, 90, 100}));
    for (const auto& image : images) uploaded.push_back(image.to(gpu()));
    const auto expected = on_cpu.detect(images, options, {});
    const auto actual = on_gpu.detect(uploaded, options, {});
    for (size_t i = 0; i < expected.size(); ++i) {
      REQUIRE(actual[i].scores.size(0) == expected[i].scores.size(0));
      CHECK(relative_error(actual[i].scores, expected[i].scores) < kTolerance);
      CHECK(relative_error(actual[i].boxes, expected[i].boxes) < kTolerance);
      CHECK(relative_error(actual[i].mask_probabilities, expected[i].mask_probabilities) < 1e-3);
    }
  }
}

TEST_CASE("GPU: 16-bit networks run" * doctest::skip(no_gpu())) {
  const torch::InferenceMode inference;
  for (const auto dtype : {torch::kFloat16, torch::kBFloat16}) {
    torch::manual_seed(6);
    model::MaskRcnn network(test::small_config());
    network->eval();
    network->to(gpu());
    infer::MaskRcnnPlan plan(network, dtype);
    const auto found = plan.detect({torch::rand({3, 90, 100}, gpu())},
                                   model::DetectOptions::of(network->config()), {});
    CHECK(found.size() == 1);
    CHECK(found[0].boxes.isfinite().all().item<bool>());
  }
}

TEST_CASE("GPU: training steps equal the CPU's, the first, recorded and replayed ones" *
          doctest::skip(no_gpu())) {
  const Tf32 tf32(false);
  // The default stream cannot be recorded.
  cuda::enter(0);
  constexpr train::SamplingOptions kSampling{
      .rpn_fg_iou = 0.7,
      .rpn_bg_iou = 0.3,
      // All candidates, because sampling depends on the device.
      .rpn_batch_size = 100000,
      .rpn_positive_fraction = 0.5,
      .rpn_pre_nms_top_n = 50,
      .rpn_post_nms_top_n = 30,
      .box_fg_iou = 0.5,
      .box_bg_iou = 0.5,
      .box_batch_size = 100000,
      .box_positive_fraction = 0.25,
      .skip_resize = true};
  mask::Bounds bounds;
  for (uint32_t x = 10; x < 30; ++x) mask::append_run(bounds, x * 48 + 8, x * 48 + 40);
  const auto ground_truth = train::make_ground_truth({mask::from_bounds(48, 64, bounds)},
                                                     torch::tensor({1}, torch::kInt64));
  torch::manual_seed(2);
  std::vector<torch::Tensor> images;
  for (int step = 0; step < 5; ++step) images.push_back(torch::rand({3, 48, 64}));
  const auto steps_on = [&](torch::Device device) {
    train::TrainerOptions options;
    options.device = device;
    options.deterministic = true;
    options.average_decay = 0.9;
    train::SegmenterTrainer trainer(test::small_config(), options, kSampling);
    std::vector<train::StepResult> results;
    for (const auto& image : images) {
      results.push_back(
          trainer.step({image}, {ground_truth},
                       {.lr = 0.01, .momentum = 0.9, .max_grad_norm = 10.0, .seed = 5}, {}));
    }
    return results;
  };
  const auto expected = steps_on(torch::kCPU), actual = steps_on(gpu());
  for (size_t step = 0; step < images.size(); ++step) {
    CHECK(actual[step].applied);
    CHECK(actual[step].grad_norm == doctest::Approx(expected[step].grad_norm).epsilon(1e-3));
    for (size_t i = 0; i < expected[step].losses.size(); ++i) {
      const auto& [name, loss] = expected[step].losses[i];
      CHECK(actual[step].losses[i].first == name);
      CHECK(actual[step].losses[i].second == doctest::Approx(loss).epsilon(1e-3));
    }
  }
}

}  // namespace devices_agree_test
