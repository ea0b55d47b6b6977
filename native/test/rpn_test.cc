#include "model/rpn.h"

#include <algorithm>

#include "ops/boxes.h"
#include "small_network.h"
#include "tensors.h"

namespace rpn_test {

using namespace cellroute::model;

namespace {

struct Case {
  RpnPredictions predictions;
  ImageBatch images;
};

/** Two images over maps of odd sizes; the second image is smaller than the batch. */
Case random_case() {
  torch::manual_seed(7);
  Case random;
  random.images = {torch::zeros({2, 3, 64, 96}), {{64, 96}, {50, 70}}};
  for (const auto& [height, width] : {std::pair{16, 24}, {8, 12}, {4, 6}, {2, 3}}) {
    random.predictions.objectness.push_back(torch::randn({2, 3, height, width}) * 3);
    random.predictions.deltas.push_back(torch::randn({2, 12, height, width}));
  }
  return random;
}

struct Candidate {
  torch::Tensor box;
  double score;
  size_t level;
};

/** Slow reference: each anchor separately: read the maps, decode, clip, sort, suppress. */
std::vector<torch::Tensor> slow_proposals(const Case& input, int64_t image,
                                          const AnchorGenerator& anchors,
                                          const ProposalOptions& options) {
  const BoxCoder coder({1, 1, 1, 1});
  const auto size = input.images.sizes[image];
  std::vector<Candidate> candidates;
  for (size_t level = 0; level < input.predictions.objectness.size(); ++level) {
    const auto logits = input.predictions.objectness[level][image];
    const auto deltas = input.predictions.deltas[level][image];
    const auto boxes = anchors(level, {logits.size(1), logits.size(2)},
                               {input.images.tensors.size(2), input.images.tensors.size(3)});
    std::vector<Candidate> some;
    int64_t row = 0;
    for (int64_t y = 0; y < logits.size(1); ++y) {
      for (int64_t x = 0; x < logits.size(2); ++x) {
        for (int64_t a = 0; a < logits.size(0); ++a) {
          const auto offsets = deltas.narrow(0, 4 * a, 4).select(1, y).select(1, x).unsqueeze(0);
          some.push_back({coder.decode(offsets, boxes[row++].unsqueeze(0)).view({4}),
                          logits[a][y][x].item<double>(), level});
        }
      }
    }
    const auto higher = [](const auto& a, const auto& b) { return a.score > b.score; };
    std::stable_sort(some.begin(), some.end(), higher);
    some.resize(std::min<size_t>(some.size(), options.pre_nms_top_n));
    // Logits are ordered within a level, float32 probabilities between levels. Two logits may have
    // the same probability; then the earlier level and the higher logit come first.
    for (auto& candidate : some) {
      candidate.score =
          torch::sigmoid(torch::tensor(static_cast<float>(candidate.score))).item<double>();
    }
    candidates.insert(candidates.end(), some.begin(), some.end());
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  std::vector<Candidate> kept;
  for (auto& candidate : candidates) {
    candidate.box =
        cellroute::ops::clip_boxes_to_image(candidate.box.unsqueeze(0), size.height, size.width)[0];
    const auto sides = candidate.box.narrow(0, 2, 2) - candidate.box.narrow(0, 0, 2);
    if (sides.min().item<double>() < options.min_size) continue;
    if (candidate.score < options.score_threshold) continue;
    const bool taken = std::any_of(kept.begin(), kept.end(), [&](const auto& better) {
      return better.level == candidate.level &&
             cellroute::ops::box_iou(better.box.unsqueeze(0), candidate.box.unsqueeze(0))
                     .template item<double>() > options.nms_threshold;
    });
    if (!taken) kept.push_back(candidate);
  }
  std::vector<torch::Tensor> boxes;
  for (const auto& candidate : kept) boxes.push_back(candidate.box);
  return boxes;
}

}  // namespace

TEST_CASE("rpn: proposals of every image equal those found anchor by anchor") {
  const auto config = cellroute::test::small_config();
  const RegionProposalNetwork rpn(config.rpn, config.fpn_channels);
  const auto input = random_case();
  ProposalOptions options{.pre_nms_top_n = 100,
                          .post_nms_top_n = 10000,
                          .nms_threshold = 0.5,
                          .score_threshold = 0.3,
                          .min_size = 1};
  SUBCASE("all") {}
  SUBCASE("the best") { options.post_nms_top_n = 17; }
  SUBCASE("a limit above the number of anchors") { options.pre_nms_top_n = 1000000; }
  SUBCASE("none above the threshold") { options.score_threshold = 1.1; }

  const auto anchors = rpn->anchors(input.predictions, {64, 96});
  const auto& sizes = input.images.sizes;
  const auto proposals = rpn->filter_proposals(input.predictions, anchors, sizes, options);
  const auto at_once = rpn->filter_proposals_padded(input.predictions, anchors, sizes, options);
  REQUIRE(proposals.size() == 2);
  for (int64_t image = 0; image < 2; ++image) {
    const auto expected = slow_proposals(input, image, rpn->anchor_generator(), options);
    const auto count =
        std::min<int64_t>(static_cast<int64_t>(expected.size()), options.post_nms_top_n);
    CHECK(proposals[image].capped == (static_cast<int64_t>(expected.size()) > count));
    REQUIRE(proposals[image].boxes.sizes() == torch::IntArrayRef({count, 4}));
    for (int64_t i = 0; i < count; ++i) {
      CHECK(torch::allclose(proposals[image].boxes[i], expected[i], 1e-5, 1e-4));
    }
    REQUIRE(at_once.kept.count[image].item<int64_t>() == count);
    CHECK(at_once.kept.capped[image].item<bool>() == proposals[image].capped);
    CHECK(cellroute::test::same(at_once.boxes[image].narrow(0, 0, count), proposals[image].boxes));
  }
}

TEST_CASE("rpn: proposals have no gradient") {
  const auto config = cellroute::test::small_config();
  const RegionProposalNetwork rpn(config.rpn, config.fpn_channels);
  auto input = random_case();
  for (auto& map : input.predictions.deltas) map.requires_grad_();
  const auto proposals =
      rpn->filter_proposals(input.predictions, rpn->anchors(input.predictions, {64, 96}),
                            input.images.sizes, {50, 50, 0.7, 0, 1e-3});
  CHECK_FALSE(proposals[0].boxes.requires_grad());
}

}  // namespace rpn_test
