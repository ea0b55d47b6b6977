#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>

#include "engine/cancel.h"
#include "small_network.h"
#include "tensors.h"
#include "train/classifier_trainer.h"
#include "train/gradients.h"
#include "train/segmenter_trainer.h"

namespace trainer_test {

using namespace cellroute;
using namespace cellroute::train;

namespace {

TrainerOptions options(OptimizerConfig::Kind kind = OptimizerConfig::Kind::kSgd) {
  TrainerOptions options;
  options.optimizer.kind = kind;
  options.optimizer.weight_decay = 1e-3;
  options.update_batch_statistics = true;
  options.average_decay = 0.9;
  options.seed = 3;
  return options;
}

StepOptions step_options(uint64_t seed) {
  return {.lr = 0.01, .momentum = 0.9, .max_grad_norm = 10.0, .seed = seed};
}

/** Candidates that leave some choice to the sampler. */
constexpr SamplingOptions kSampling{.rpn_fg_iou = 0.7,
                                    .rpn_bg_iou = 0.3,
                                    .rpn_batch_size = 32,
                                    .rpn_positive_fraction = 0.5,
                                    .rpn_pre_nms_top_n = 50,
                                    .rpn_post_nms_top_n = 30,
                                    .box_fg_iou = 0.5,
                                    .box_bg_iou = 0.5,
                                    .box_batch_size = 16,
                                    .box_positive_fraction = 0.25,
                                    .skip_resize = false};

model::MaskRcnnConfig segmenter_config() {
  auto config = test::small_config();
  config.backbone.norm.kind = model::NormKind::kBatch;
  return config;
}

model::ClassifierConfig classifier_config(model::ClassifierHead head) {
  model::ClassifierConfig config;
  config.backbone = {.depth = 18, .width = 4, .norm = {.kind = model::NormKind::kBatch}};
  config.head = head;
  config.head_hidden = 6;
  config.num_classes = 3;
  config.normalize = {.mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.2, 0.2}};
  return config;
}

/** A rectangular cell: x, y, width, height in an image of 48 x 64. */
mask::Rle rectangle(uint32_t x, uint32_t y, uint32_t width, uint32_t height) {
  constexpr uint32_t kHeight = 48, kWidth = 64;
  mask::Bounds bounds;
  for (uint32_t column = x; column < x + width; ++column) {
    mask::append_run(bounds, column * kHeight + y, column * kHeight + y + height);
  }
  return mask::from_bounds(kHeight, kWidth, bounds);
}

/** Inputs of a trainer, created once, and a step with a poll. */
struct Segmenter {
  SegmenterTrainer trainer{segmenter_config(), options(), kSampling};
  std::vector<torch::Tensor> images;
  std::vector<GroundTruth> ground_truths;

  Segmenter() {
    torch::manual_seed(8);
    images = {torch::rand({3, 48, 64}), torch::rand({3, 48, 64})};
    ground_truths = {make_ground_truth({rectangle(3, 4, 20, 12), rectangle(30, 20, 9, 17)},
                                       torch::tensor({1, 2}, torch::kInt64)),
                     make_ground_truth({}, torch::empty({0}, torch::kInt64))};
  }
  StepResult step(uint64_t seed, const JobContext& poll = {}) {
    return trainer.step(images, ground_truths, step_options(seed), poll);
  }
  void spoil() { images[1][0][5][5] = std::numeric_limits<float>::quiet_NaN(); }
};

struct ConcatPoolClassifier {
  ClassifierTrainer trainer{classifier_config(model::ClassifierHead::kConcatPool),
                            options(OptimizerConfig::Kind::kAdamW),
                            {1.0, 2.0, 0.5}};
  torch::Tensor images, labels;

  ConcatPoolClassifier() {
    torch::manual_seed(8);
    images = torch::rand({4, 3, 40, 48});
    labels = torch::tensor({0, 1, 2, 1}, torch::kInt64);
  }
  StepResult step(uint64_t seed, const JobContext& poll = {}) {
    return trainer.step(images, labels, step_options(seed), poll);
  }
  void spoil() { images[1][0][5][5] = std::numeric_limits<float>::infinity(); }
};

std::map<std::string, torch::Tensor> copy(const Trainer& trainer) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& [name, tensor] : trainer.state()) tensors[name] = tensor.detach().clone();
  return tensors;
}

using Names = std::vector<std::string>;

/** Tensors that are not bit-identical: -0 differs from 0. */
Names differing(const Trainer& trainer, const std::map<std::string, torch::Tensor>& before) {
  Names names;
  for (const auto& [name, tensor] : trainer.state()) {
    const auto now = tensor.detach().contiguous();
    if (std::memcmp(now.const_data_ptr(), before.at(name).const_data_ptr(), now.nbytes()) != 0) {
      names.push_back(name);
    }
  }
  return names;
}

/** Cancels at the n-th poll. */
JobContext stop_at(int n) {
  return {nullptr, [n, seen = 0](const char*, double) mutable {
            if (seen++ == n) throw Cancelled();
          }};
}

}  // namespace

TEST_CASE_TEMPLATE("trainer: a step cancelled at any poll changes nothing", Kind, Segmenter,
                   ConcatPoolClassifier) {
  Kind stopped, twin;
  for (uint64_t seed = 0; seed < 2; ++seed) {
    stopped.step(seed);
    twin.step(seed);
  }
  const auto before = copy(stopped.trainer);
  int polls = 0;
  while (true) {
    try {
      // Outside of CHECK, which would catch the exception.
      const auto result = stopped.step(7, stop_at(polls));
      CHECK(result.applied);
      break;
    } catch (const Cancelled&) {
      CHECK(differing(stopped.trainer, before) == Names{});
      ++polls;
    }
  }
  // Polls occur between the layers of the backward pass too.
  CHECK(polls > 20);
  CHECK(differing(stopped.trainer, before) != Names{});
  twin.step(7);
  CHECK(differing(stopped.trainer, copy(twin.trainer)) == Names{});
}

TEST_CASE_TEMPLATE("trainer: a step cancelled from another thread at any stage changes nothing",
                   Kind, Segmenter, ConcatPoolClassifier) {
  Kind stopped, twin;
  const auto before = copy(stopped.trainer);
  int cancelled = 0;
  for (int stage = 0;; ++stage) {
    const auto flag = std::make_shared<CancelFlag>();
    const Cancellation cancellation({flag});
    const CancelScope scope(&cancellation);
    const JobContext poll(nullptr, [&, seen = 0](const char*, double) mutable {
      if (seen++ == stage) flag->cancel();
    });
    try {
      const auto result = stopped.step(7, poll);
      // The flag was set too late or not at all: the step took effect.
      CHECK(result.applied);
      break;
    } catch (const Cancelled&) {
      CHECK(differing(stopped.trainer, before) == Names{});
      ++cancelled;
    }
  }
  CHECK(cancelled > 20);
  twin.step(7);
  CHECK(differing(stopped.trainer, copy(twin.trainer)) == Names{});
}

TEST_CASE_TEMPLATE("trainer: a step with non-finite gradients changes nothing and reports it", Kind,
                   Segmenter, ConcatPoolClassifier) {
  Kind kind;
  kind.step(0);
  const auto before = copy(kind.trainer);
  kind.spoil();
  const auto result = kind.step(1);
  CHECK_FALSE(result.applied);
  CHECK(std::isnan(result.grad_norm));
  CHECK(differing(kind.trainer, before) == Names{});
}

TEST_CASE_TEMPLATE("trainer: progress increases from 0 to 1", Kind, Segmenter,
                   ConcatPoolClassifier) {
  Kind kind;
  double last = 0;
  kind.step(0, {nullptr, [&](const char*, double fraction) {
                  CHECK(fraction >= last);
                  CHECK(fraction <= 1);
                  last = fraction;
                }});
  CHECK(last > 0.9);
}

TEST_CASE("trainer: gradients whose squares overflow count as not finite") {
  auto parameter = torch::ones({4}).requires_grad_();
  parameter.mutable_grad() = torch::full({4}, 1e30);
  CHECK_FALSE(std::isfinite(gradient_norm({parameter})));
  CHECK(gradient_norm({torch::ones({2}).requires_grad_()}) == 0);
}

TEST_CASE("trainer: gradients are clipped to the norm, small ones are unchanged") {
  auto a = torch::zeros({3}).requires_grad_(), b = torch::zeros({2, 2}).requires_grad_();
  a.mutable_grad() = torch::tensor({1.0F, 2.0F, 2.0F});
  b.mutable_grad() = torch::full({2, 2}, 2.0F);
  CHECK(gradient_norm({a, b}) == doctest::Approx(5));
  clip_gradients({a, b}, 5, 6);
  CHECK(gradient_norm({a, b}) == doctest::Approx(5));
  clip_gradients({a, b}, 5, 2);
  CHECK(gradient_norm({a, b}) == doctest::Approx(2));
  CHECK(a.grad()[1].item<float>() == doctest::Approx(0.8));
}

TEST_CASE("trainer: the average follows the first steps, later ones use the decay") {
  torch::nn::Linear network(2, 1);
  const torch::NoGradGuard no_grad;
  network->weight.fill_(0);
  WeightAverage average(*network, 0.5);
  double expected = 0;
  for (int step = 0; step < 30; ++step) {
    network->weight.fill_(step + 1);
    average.update(*network);
    const double decay = std::min(0.5, (1.0 + step) / (10.0 + step));
    expected = decay * expected + (1 - decay) * (step + 1);
  }
  CHECK(average.tensors()[0].second[0][0].item<float>() == doctest::Approx(expected));
  CHECK(average.updates().item<int64_t>() == 30);
  average.start(*network);
  CHECK(average.tensors()[0].second[0][0].item<float>() == 30);
  CHECK(average.updates().item<int64_t>() == 0);
}

TEST_CASE("trainer: frozen stages and statistics are unchanged and have no state") {
  auto given = options();
  given.trainable_layers = 1;
  given.update_batch_statistics = false;
  ClassifierTrainer trainer(classifier_config(model::ClassifierHead::kLinear), given, {});
  const auto before = copy(trainer);
  const auto optimised = [](const std::string& name) { return name.rfind("optimizer.", 0) == 0; };
  for (const auto& [name, tensor] : before) {
    if (optimised(name)) {
      CHECK((name.rfind("optimizer.layer4.", 0) == 0 || name.rfind("optimizer.fc.", 0) == 0));
    }
  }
  torch::manual_seed(1);
  trainer.step(torch::rand({4, 3, 40, 48}), torch::tensor({0, 1, 2, 1}, torch::kInt64),
               step_options(1));
  for (const auto& [name, tensor] : trainer.state()) {
    if (name.rfind("model.", 0) != 0) continue;
    const bool moves = before.count("optimizer." + name.substr(6) + ".momentum_buffer") > 0;
    CHECK_MESSAGE(torch::equal(tensor, before.at(name)) != moves, name);
  }
}

TEST_CASE("trainer: dropout depends on the step's seed") {
  ConcatPoolClassifier first, second, third;
  CHECK(first.step(5).losses == second.step(5).losses);
  CHECK(first.step(6).losses != third.step(7).losses);
}

TEST_CASE("trainer: the loss with bfloat16 autocast is close to float32") {
  for (const auto kind :
       {model::NormKind::kBatch, model::NormKind::kFrozenBatch, model::NormKind::kGroup}) {
    auto config = test::small_config();
    config.backbone.norm = {.kind = kind, .groups = 4};
    auto given = options();
    SegmenterTrainer exact(config, given, kSampling);
    given.precision = Precision::kBfloat16;
    SegmenterTrainer rounded(config, given, kSampling);
    const Segmenter batch;
    const auto expected = exact.step(batch.images, batch.ground_truths, step_options(1));
    const auto result = rounded.step(batch.images, batch.ground_truths, step_options(1));
    CHECK(result.applied);
    double total = 0;
    for (const auto& [name, loss] : expected.losses) total += loss;
    for (size_t i = 0; i < result.losses.size(); ++i) {
      // Relative to the total, because other proposals may be chosen.
      CHECK(std::abs(result.losses[i].second - expected.losses[i].second) < 0.1 * total);
    }
    for (const auto& [name, tensor] : rounded.state()) {
      if (name.rfind("model.", 0) == 0 && tensor.is_floating_point()) {
        CHECK((tensor.scalar_type() == torch::kFloat32));
      }
    }
  }
}

}  // namespace trainer_test
