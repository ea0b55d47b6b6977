#include "model/detect_padded.h"

#include "infer/mask_rcnn_plan.h"
#include "small_network.h"
#include "tensors.h"

namespace detect_padded_test {

using namespace cellroute;

TEST_CASE("detect_padded equals detect, image by image") {
  const torch::InferenceMode inference;
  torch::manual_seed(11);
  model::MaskRcnn network(test::small_config());
  network->eval();
  infer::MaskRcnnPlan plan(network, torch::kFloat32);
  const std::vector<torch::Tensor> images{torch::rand({3, 90, 100}), torch::zeros({3, 90, 100}),
                                          torch::rand({3, 90, 100})};
  const auto context = network->detection_context();
  auto options = model::DetectOptions::of(network->config());
  const auto batch = context.transform.stacked(torch::stack(images));
  const auto levels = plan.pyramid(batch.tensors, {});
  const auto predictions = plan.propose(levels);
  const auto anchors =
      context.rpn.anchors(predictions, {batch.tensors.size(2), batch.tensors.size(3)});
  // Few and many, so that limits are reached in some cases only.
  for (const int64_t proposals : {7, 5000}) {
    for (const int64_t detections : {3, 5000}) {
      for (const double score : {0.0, 0.5, 1.0}) {
        CAPTURE(proposals);
        CAPTURE(detections);
        CAPTURE(score);
        options.rpn_post_nms_top_n = proposals;
        options.detections_per_image = detections;
        options.score_threshold = score;
        const auto found = model::detect_padded(context, plan, levels, predictions, anchors,
                                                batch.sizes.front(), options);
        const auto expected = model::detect(context, plan, images, options, {});
        for (int64_t n = 0; n < 3; ++n) {
          const auto& one = expected[static_cast<size_t>(n)];
          const auto* counts = found.counts[n].const_data_ptr<int64_t>();
          REQUIRE(counts[0] == one.scores.size(0));
          CHECK((counts[1] != 0) == one.detections_capped);
          CHECK((counts[2] != 0) == one.proposals_capped);
          const auto first = [&](const torch::Tensor& all) {
            return all[n].narrow(0, 0, counts[0]);
          };
          // Heads that process more rows at once round differently.
          CHECK(torch::allclose(first(found.scores), one.scores, 1e-5, 1e-6));
          CHECK(test::same(first(found.labels), one.labels));
          CHECK(torch::allclose(
              model::resize_boxes(first(found.boxes), batch.sizes.front(), {90, 100}), one.boxes,
              1e-5, 1e-4));
        }
      }
    }
  }
}

}  // namespace detect_padded_test
