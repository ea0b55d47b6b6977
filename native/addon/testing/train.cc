// Training: the matcher, and the losses of a network with the gradient norm of each parameter.
#include <ATen/CPUGeneratorImpl.h>

#include <string>
#include <vector>

#include "addon/mask_batch.h"
#include "addon/read.h"
#include "addon/testing/network.h"
#include "addon/train_config.h"
#include "train/mask_rcnn_loss.h"
#include "train/matcher.h"
#include "train/trainable.h"

namespace cellroute::testing {
namespace {

using addon::Fields;

/** From IoU [ground truths, candidates] and {high, low, allowLowQualityMatches}: the matches of the
 *  candidates. */
Napi::Value match(const Napi::CallbackInfo& info) {
  const auto iou = to_tensor(info[0]);
  const Fields options(info[1], "match");
  const auto values = iou.accessor<float, 2>();
  const auto quality = [&](int64_t ground_truth, int64_t begin, int64_t end, float* row) {
    for (int64_t i = begin; i < end; ++i) row[i - begin] = values[ground_truth][i];
    return true;
  };
  return from_tensor(info.Env(), train::match(iou.size(0), iou.size(1), quality,
                                              {options.number("high"), options.number("low"),
                                               options.flag("allowLowQualityMatches")}));
}

/** {masks, labels} of each image. */
std::vector<train::GroundTruth> to_ground_truths(const Napi::Value& value) {
  std::vector<train::GroundTruth> ground_truths;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Fields ground_truth(array.Get(i), "ground_truth");
    ground_truths.push_back(train::make_ground_truth(addon::copy_batch(ground_truth.value("masks")),
                                                     to_tensor(ground_truth.value("labels"))));
  }
  return ground_truths;
}

/** From a network, images, ground truths and {sampling, trainableLayers, updateBatchStatistics,
 *  seed}: {losses, gradNorms}. Parameters without a gradient have no norm. */
Napi::Value losses(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto network = mask_rcnn_of(info);
  const Fields options(info[3], "losses");
  train::set_trainable(network, options.integer("trainableLayers"),
                       options.flag("updateBatchStatistics"));
  network->zero_grad();
  const auto generator =
      at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(options.integer("seed")));
  const auto losses =
      train::mask_rcnn_losses(network, to_tensors(info[1]), to_ground_truths(info[2]),
                              addon::read_sampling(options.object("sampling")), generator);
  losses.total().backward();
  network->eval();

  auto values = Napi::Object::New(env);
  const auto set = [&](const char* name, const torch::Tensor& loss) {
    values.Set(name, Napi::Number::New(env, loss.item<double>()));
  };
  set("loss_classifier", losses.classifier);
  set("loss_box_reg", losses.box_reg);
  set("loss_mask", losses.mask);
  set("loss_objectness", losses.objectness);
  set("loss_rpn_box_reg", losses.rpn_box_reg);
  auto norms = Napi::Object::New(env);
  for (const auto& item : network->named_parameters()) {
    if (!item.value().grad().defined()) continue;
    norms.Set(item.key(), Napi::Number::New(env, item.value().grad().norm().item<double>()));
  }
  auto result = Napi::Object::New(env);
  result.Set("losses", values);
  result.Set("gradNorms", norms);
  return result;
}

}  // namespace

void register_train(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("match", exported<match>);
  add("maskRCNNLosses", exported<losses>);
}

}  // namespace cellroute::testing
