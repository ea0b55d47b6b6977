#include "model/skip_init.h"

#include "model/classifier.h"
#include "model/mask_rcnn.h"
#include "small_network.h"
#include "tensors.h"

namespace skip_init_test {

namespace model = cellroute::model;
namespace test = cellroute::test;

namespace {

template <typename Make>
auto without_init(Make make) {
  const model::SkipInit skip_init;
  return make();
}

/** Checks that both modules have the same tensors, and copies the values. */
void copy_weights(torch::nn::Module& from, torch::nn::Module& to) {
  const torch::NoGradGuard no_grad;
  const auto source = from.named_parameters(), target = to.named_parameters();
  REQUIRE(source.keys() == target.keys());
  for (const auto& item : source) {
    REQUIRE(item.value().sizes() == target[item.key()].sizes());
    CHECK(item.value().requires_grad() == target[item.key()].requires_grad());
    target[item.key()].copy_(item.value());
  }
  CHECK(from.named_buffers().keys() == to.named_buffers().keys());
}

}  // namespace

TEST_CASE("skip init: a Mask R-CNN computes the same as one with initialized weights") {
  const auto make = [] { return model::MaskRcnn(test::small_config()); };
  auto initialized = make(), other = without_init(make);
  copy_weights(*initialized, *other);
  initialized->eval();
  other->eval();
  const torch::NoGradGuard no_grad;
  const auto image = torch::rand({1, 3, 64, 96});
  const auto expected = initialized->backbone()(image), levels = other->backbone()(image);
  for (size_t i = 0; i < expected.size(); ++i) CHECK(levels[i].equal(expected[i]));
  const auto maps = torch::rand({2, initialized->config().fpn_channels, 14, 14});
  CHECK(
      other->roi_heads()->predict_masks(maps).equal(initialized->roi_heads()->predict_masks(maps)));
}

TEST_CASE("skip init: layers keep their stride, padding and bias setting") {
  const auto options = torch::nn::Conv2dOptions(3, 8, 5).stride(2).padding(2).bias(false);
  const auto make = [&] { return model::make_conv2d(options); };
  auto initialized = make(), other = without_init(make);
  copy_weights(*initialized, *other);
  const auto input = torch::rand({1, 3, 17, 20});
  CHECK(other(input).equal(initialized(input)));
  // The weight of a transposed convolution starts with the input channels.
  const auto upscale = without_init([] {
    return model::make_conv_transpose2d(torch::nn::ConvTranspose2dOptions(6, 4, 2).stride(2));
  });
  CHECK(upscale->weight.sizes() == at::IntArrayRef({6, 4, 2, 2}));
  CHECK(upscale->bias.sizes() == at::IntArrayRef({4}));
  const auto linear = without_init([] { return model::make_linear({5, 7}); });
  CHECK(linear->weight.sizes() == at::IntArrayRef({7, 5}));
  CHECK(linear->bias.sizes() == at::IntArrayRef({7}));
}

TEST_CASE("skip init: ends with its scope; nested scopes end separately") {
  CHECK_FALSE(model::SkipInit::is_active());
  {
    const model::SkipInit outer;
    {
      const model::SkipInit inner;
    }
    CHECK(model::SkipInit::is_active());
  }
  CHECK_FALSE(model::SkipInit::is_active());
  // LibTorch initialises uniformly between -1/8 and 1/8.
  const auto weight = model::make_linear({64, 64})->weight.detach();
  CHECK(weight.abs().max().item<float>() <= 0.125F);
  CHECK(weight.std().item<float>() > 0.05F);
}

}  // namespace skip_init_test
