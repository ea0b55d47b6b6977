#include "model/skip_init.h"

#include "model/classifier.h"
#include "model/mask_rcnn.h"
#include "small_network.h"
#include "tensors.h"

namespace model = cellroute::model;
namespace test = cellroute::test;

namespace {

template <typename Make>
auto unfilled(Make make) {
  const model::SkipInit skip_init;
  return make();
}

/** Both have the same tensors, and give the same where one has the other's. */
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

TEST_CASE("unfilled: a Mask R-CNN gives what a filled one with the same weights gives") {
  const auto make = [] { return model::MaskRcnn(test::small_config()); };
  auto filled = make(), other = unfilled(make);
  copy_weights(*filled, *other);
  filled->eval();
  other->eval();
  const torch::NoGradGuard no_grad;
  const auto image = torch::rand({1, 3, 64, 96});
  const auto expected = filled->backbone()(image), levels = other->backbone()(image);
  for (size_t i = 0; i < expected.size(); ++i) CHECK(levels[i].equal(expected[i]));
  const auto maps = torch::rand({2, filled->config().fpn_channels, 14, 14});
  CHECK(other->roi_heads()->predict_masks(maps).equal(filled->roi_heads()->predict_masks(maps)));
}

TEST_CASE("unfilled: layers keep stride, padding and whether they have a bias") {
  const auto options = torch::nn::Conv2dOptions(3, 8, 5).stride(2).padding(2).bias(false);
  const auto make = [&] { return model::make_conv2d(options); };
  auto filled = make(), other = unfilled(make);
  copy_weights(*filled, *other);
  const auto input = torch::rand({1, 3, 17, 20});
  CHECK(other(input).equal(filled(input)));
  // Its weight names the channels that come in first.
  const auto upscale = unfilled([] {
    return model::make_conv_transpose2d(torch::nn::ConvTranspose2dOptions(6, 4, 2).stride(2));
  });
  CHECK(upscale->weight.sizes() == at::IntArrayRef({6, 4, 2, 2}));
  CHECK(upscale->bias.sizes() == at::IntArrayRef({4}));
  const auto linear = unfilled([] { return model::make_linear({5, 7}); });
  CHECK(linear->weight.sizes() == at::IntArrayRef({7, 5}));
  CHECK(linear->bias.sizes() == at::IntArrayRef({7}));
}

TEST_CASE("unfilled: ends with its scope, and a scope in it ends alone") {
  CHECK_FALSE(model::SkipInit::is_wanted());
  {
    const model::SkipInit outer;
    {
      const model::SkipInit inner;
    }
    CHECK(model::SkipInit::is_wanted());
  }
  CHECK_FALSE(model::SkipInit::is_wanted());
  // Filled as LibTorch fills: between plus and minus 1/8, and no two alike.
  const auto weight = model::make_linear({64, 64})->weight.detach();
  CHECK(weight.abs().max().item<float>() <= 0.125F);
  CHECK(weight.std().item<float>() > 0.05F);
}
