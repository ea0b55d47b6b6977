// The operators, and the resize before a classifier.
#include "ops/roi_align.h"

#include <torch/csrc/autograd/autograd.h>

#include "addon/arrays.h"
#include "addon/image.h"
#include "addon/read.h"
#include "addon/testing/tensor.h"
#include "io/resize.h"
#include "ops/boxes.h"
#include "ops/nms.h"
#include "ops/paste.h"

namespace cellroute::testing {
namespace {

double number(const Napi::Value& value) { return value.As<Napi::Number>().DoubleValue(); }

/** RoIAlign with {spatialScale, pooled: [height, width], samplingRatio, aligned}. */
torch::Tensor pool(const torch::Tensor& features, const Napi::CallbackInfo& info) {
  const addon::Fields options(info[2], "roiAlign");
  const auto pooled = options.integers("pooled");
  return ops::roi_align(features, to_tensor(info[1]), options.number("spatialScale"), pooled.at(0),
                        pooled.at(1), options.integer("samplingRatio"), options.flag("aligned"));
}

Napi::Value roi_align(const Napi::CallbackInfo& info) {
  return from_tensor(info.Env(), pool(to_tensor(info[0]), info));
}

/** Gradient of the features from that of the output. */
Napi::Value roi_align_backward(const Napi::CallbackInfo& info) {
  const auto features = to_tensor(info[0]).requires_grad_();
  const auto grad = torch::autograd::grad({pool(features, info)}, {features}, {to_tensor(info[3])});
  return from_tensor(info.Env(), grad[0]);
}

Napi::Value nms(const Napi::CallbackInfo& info) {
  return from_tensor(info.Env(), ops::nms(to_tensor(info[0]), to_tensor(info[1]), number(info[2])));
}

Napi::Value batched_nms(const Napi::CallbackInfo& info) {
  return from_tensor(info.Env(), ops::batched_nms(to_tensor(info[0]), to_tensor(info[1]),
                                                  to_tensor(info[2]), number(info[3])));
}

Napi::Value box_iou(const Napi::CallbackInfo& info) {
  return from_tensor(info.Env(), ops::box_iou(to_tensor(info[0]), to_tensor(info[1])));
}

/** From probabilities, boxes, height, width and threshold: COCO counts, one Uint32Array per mask.
 */
Napi::Value paste_masks(const Napi::CallbackInfo& info) {
  const auto masks = ops::paste_masks(to_tensor(info[0]), to_tensor(info[1]),
                                      info[2].As<Napi::Number>().Int64Value(),
                                      info[3].As<Napi::Number>().Int64Value(), number(info[4]));
  auto result = Napi::Array::New(info.Env(), masks.size());
  for (size_t i = 0; i < masks.size(); ++i) {
    result.Set(static_cast<uint32_t>(i), addon::to_typed_array(info.Env(), masks[i].counts));
  }
  return result;
}

/** From an image, height and width: the bytes of the resized image. */
template <io::Image (*function)(const io::Image&, int64_t, int64_t)>
Napi::Value resized(const Napi::CallbackInfo& info) {
  const auto image = function(addon::read_image(info[0]), info[1].As<Napi::Number>().Int64Value(),
                              info[2].As<Napi::Number>().Int64Value());
  return addon::bytes_to_js(info.Env(), image.bytes.data(), image.bytes.size());
}

}  // namespace

void register_ops(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("roiAlign", exported<roi_align>);
  add("roiAlignBackward", exported<roi_align_backward>);
  add("nms", exported<nms>);
  add("batchedNms", exported<batched_nms>);
  add("boxIou", exported<box_iou>);
  add("pasteMasks", exported<paste_masks>);
  add("resize", exported<resized<io::resize>>);
  add("resizeCrop", exported<resized<io::resize_crop>>);
}

}  // namespace cellroute::testing
