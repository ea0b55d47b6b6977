#include "model/keys.h"

#include "checks.h"

namespace keys_test {

using cellroute::model::fastai_key;
using cellroute::model::modern_key;

TEST_CASE("keys: names of older torchvision checkpoints") {
  CHECK(modern_key("backbone.fpn.inner_blocks.2.weight") == "backbone.fpn.inner_blocks.2.0.weight");
  CHECK(modern_key("backbone.fpn.layer_blocks.0.bias") == "backbone.fpn.layer_blocks.0.0.bias");
  CHECK(modern_key("fpn.inner_blocks.0.weight") == "fpn.inner_blocks.0.0.weight");
  CHECK(modern_key("rpn.head.conv.weight") == "rpn.head.conv.0.0.weight");
  CHECK(modern_key("roi_heads.mask_head.mask_fcn1.weight") == "roi_heads.mask_head.0.0.weight");
  CHECK(modern_key("roi_heads.mask_head.mask_fcn12.bias") == "roi_heads.mask_head.11.0.bias");
}

TEST_CASE("keys: current names are unchanged") {
  for (const char* key :
       {"backbone.fpn.inner_blocks.2.0.weight", "rpn.head.conv.0.0.weight",
        "rpn.head.cls_logits.bias", "roi_heads.mask_head.0.0.weight", "backbone.body.conv1.weight",
        "", "mask_fcn0.weight", "mask_fcn99999999999999999999.weight"}) {
    CHECK(modern_key(key) == key);
  }
}

TEST_CASE("keys: a fastai learner's body and head") {
  CHECK(fastai_key("0.0.weight") == "conv1.weight");
  CHECK(fastai_key("0.1.running_mean") == "bn1.running_mean");
  CHECK(fastai_key("0.4.0.conv1.weight") == "layer1.0.conv1.weight");
  CHECK(fastai_key("0.7.1.bn2.bias") == "layer4.1.bn2.bias");
  CHECK(fastai_key("1.2.weight") == "head.2.weight");
  for (const char* key : {"0.2.weight", "0.8.weight", "0.", "0", "", "layer1.0.conv1.weight"}) {
    CHECK(fastai_key(key) == key);
  }
}

}  // namespace keys_test
