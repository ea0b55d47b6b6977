#include "model/mask_head.h"

#include <torch/csrc/autograd/autograd.h>

#include "tensors.h"

namespace mask_head_test {

using cellroute::model::MaskRcnnPredictor;

TEST_CASE("mask predictor: a transposed convolution, ReLU, and one logit per class") {
  torch::manual_seed(9);
  MaskRcnnPredictor predictor(6, 10, 3);
  const auto parameters = predictor->named_parameters();
  for (const auto& item : parameters) {
    const torch::NoGradGuard no_grad;
    item.value().copy_(torch::randn_like(item.value()));
  }
  for (const int64_t count : {5, 0}) {
    const auto maps = torch::randn({count, 6, 7, 7});
    for (const auto& features : {maps, maps.contiguous(at::MemoryFormat::ChannelsLast)}) {
      const auto expected =
          torch::conv2d(torch::conv_transpose2d(features, parameters["conv5_mask.weight"],
                                                parameters["conv5_mask.bias"], 2)
                            .relu(),
                        parameters["mask_fcn_logits.weight"], parameters["mask_fcn_logits.bias"]);
      const auto logits = predictor(features);
      REQUIRE(logits.sizes() == expected.sizes());
      CHECK(torch::allclose(logits, expected, 1e-4, 1e-4));
      const auto upstream = torch::randn_like(expected);
      const auto ours = torch::autograd::grad({logits}, predictor->parameters(), {upstream});
      const auto theirs = torch::autograd::grad({expected}, predictor->parameters(), {upstream});
      for (size_t i = 0; i < ours.size(); ++i)
        CHECK(torch::allclose(ours[i], theirs[i], 1e-3, 1e-3));
    }
  }
}

}  // namespace mask_head_test
