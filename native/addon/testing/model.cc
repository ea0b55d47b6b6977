// The networks stage by stage: one function per stage, which takes a network created here.
#include <string>
#include <vector>

#include "addon/config.h"
#include "addon/errors.h"
#include "addon/read.h"
#include "addon/testing/formula.h"
#include "addon/testing/network.h"
#include "model/multi_scale_roi_align.h"

namespace cellroute::testing {
namespace {

using addon::Fields;

/** Wraps a function as exported() does, and runs it without gradients. */
template <auto function>
Napi::Value exported_no_grad(const Napi::CallbackInfo& info) {
  return addon::guarded(info.Env(), [&] {
    const torch::NoGradGuard no_grad;
    return Napi::Value(function(info));
  });
}

Napi::Value from_tensors(Napi::Env env, const std::vector<torch::Tensor>& tensors) {
  auto array = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    array.Set(static_cast<uint32_t>(i), from_tensor(env, tensors[i]));
  }
  return array;
}

/** [height, width] */
model::ImageSize to_size(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  return {array.Get(uint32_t{0}).As<Napi::Number>().Int64Value(),
          array.Get(uint32_t{1}).As<Napi::Number>().Int64Value()};
}

Napi::Value create_mask_rcnn(const Napi::CallbackInfo& info) {
  auto network = std::make_shared<Network>();
  network->mask_rcnn = model::MaskRcnn(addon::read_mask_rcnn_config(info[0]));
  network->mask_rcnn->eval();
  return NetworkHandle::make(info.Env(), network);
}

Napi::Value create_classifier(const Napi::CallbackInfo& info) {
  auto network = std::make_shared<Network>();
  network->classifier = model::Classifier(addon::read_classifier_config(info[0]));
  network->classifier->eval();
  return NetworkHandle::make(info.Env(), network);
}

Napi::Value fill_network(const Napi::CallbackInfo& info) {
  fill_with_formula(network_of(info).module());
  return info.Env().Undefined();
}

/** From images: {input, sizes}. */
Napi::Value transform(const Napi::CallbackInfo& info) {
  const auto batch = mask_rcnn_of(info)->transform()(to_tensors(info[1]));
  auto sizes = Napi::Array::New(info.Env());
  for (const auto& size : batch.sizes) {
    auto pair = Napi::Array::New(info.Env());
    pair.Set(uint32_t{0}, Napi::Number::New(info.Env(), static_cast<double>(size.height)));
    pair.Set(uint32_t{1}, Napi::Number::New(info.Env(), static_cast<double>(size.width)));
    sizes.Set(sizes.Length(), pair);
  }
  auto result = Napi::Object::New(info.Env());
  result.Set("input", from_tensor(info.Env(), batch.tensors));
  result.Set("sizes", sizes);
  return result;
}

Napi::Value backbone(const Napi::CallbackInfo& info) {
  return from_tensors(info.Env(), mask_rcnn_of(info)->backbone()(to_tensor(info[1])));
}

Napi::Value rpn_head(const Napi::CallbackInfo& info) {
  const auto predictions = mask_rcnn_of(info)->rpn()->head()(to_tensors(info[1]));
  auto result = Napi::Object::New(info.Env());
  result.Set("objectness", from_tensors(info.Env(), predictions.objectness));
  result.Set("deltas", from_tensors(info.Env(), predictions.deltas));
  return result;
}

/** From levels, proposals [K, 4] and the resized image's [height, width]: stages of both heads. */
Napi::Value roi_heads(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto network = mask_rcnn_of(info);
  const auto levels = network->roi_levels(to_tensors(info[1]));
  const auto rois = model::to_rois({to_tensor(info[2])});
  const std::vector<model::ImageSize> sizes{to_size(info[3])};
  auto& heads = network->roi_heads();
  const auto box_features = heads->pool_boxes(levels, rois, sizes);
  const auto boxes = heads->predict_boxes(box_features);
  const auto mask_features = heads->pool_masks(levels, rois, sizes);
  auto result = Napi::Object::New(env);
  result.Set("boxFeatures", from_tensor(env, box_features));
  result.Set("classLogits", from_tensor(env, boxes.class_logits));
  result.Set("boxRegression", from_tensor(env, boxes.box_regression));
  result.Set("maskFeatures", from_tensor(env, mask_features));
  result.Set("maskLogits", from_tensor(env, heads->predict_masks(mask_features)));
  return result;
}

/** From an image [3, H, W], not normalised: logits. */
Napi::Value logits(const Napi::CallbackInfo& info) {
  auto network = network_of(info).classifier;
  if (!network) throw Error("INVALID_ARGUMENT", "Not a classifier");
  const auto input = model::normalize(to_tensor(info[1]), network->config().normalize);
  return from_tensor(info.Env(), network(input.unsqueeze(0)));
}

/** From {sizes, aspectRatios} per level, [height, width] of each map and of the padded image. */
Napi::Value anchors(const Napi::CallbackInfo& info) {
  const Fields config(info[0], "anchors");
  const model::AnchorGenerator generator(
      {config.number_lists("sizes"), config.number_lists("aspectRatios")});
  const auto maps = info[1].As<Napi::Array>();
  std::vector<torch::Tensor> levels;
  for (uint32_t i = 0; i < maps.Length(); ++i) {
    levels.push_back(generator(i, to_size(maps.Get(i)), to_size(info[2])));
  }
  return from_tensor(info.Env(), torch::cat(levels));
}

model::BoxCoder to_coder(const Napi::Value& value) {
  const auto weights = value.As<Napi::Array>();
  std::array<double, 4> values{};
  for (uint32_t i = 0; i < values.size(); ++i) {
    values[i] = weights.Get(i).As<Napi::Number>().DoubleValue();
  }
  return model::BoxCoder(values);
}

Napi::Value encode_boxes(const Napi::CallbackInfo& info) {
  return from_tensor(info.Env(), to_coder(info[0]).encode(to_tensor(info[1]), to_tensor(info[2])));
}

Napi::Value decode_boxes(const Napi::CallbackInfo& info) {
  return from_tensor(info.Env(), to_coder(info[0]).decode(to_tensor(info[1]), to_tensor(info[2])));
}

Napi::Value uniform(const Napi::CallbackInfo& info) {
  const auto values = formula_uniform(info[0].As<Napi::String>().Utf8Value(),
                                      info[1].As<Napi::Number>().Int64Value());
  return from_tensor(info.Env(), torch::tensor(values, torch::kFloat32));
}

}  // namespace

void register_model(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("createMaskRCNN", exported_no_grad<create_mask_rcnn>);
  add("createClassifier", exported_no_grad<create_classifier>);
  add("fillWithFormula", exported_no_grad<fill_network>);
  add("transform", exported_no_grad<transform>);
  add("backbone", exported_no_grad<backbone>);
  add("rpnHead", exported_no_grad<rpn_head>);
  add("roiHeads", exported_no_grad<roi_heads>);
  add("logits", exported_no_grad<logits>);
  add("anchors", exported_no_grad<anchors>);
  add("encodeBoxes", exported_no_grad<encode_boxes>);
  add("decodeBoxes", exported_no_grad<decode_boxes>);
  add("formulaUniform", exported_no_grad<uniform>);
}

}  // namespace cellroute::testing
