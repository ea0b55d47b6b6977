#pragma once

#include <napi.h>

#include <memory>

#include "addon/handle.h"
#include "infer/mask_rcnn_plan.h"
#include "io/weights.h"
#include "model/classifier.h"
#include "model/mask_rcnn.h"

namespace cellroute::addon {

/** A loaded network: exactly one of the two. After loading, only the owner thread touches it. */
struct LoadedModel {
  model::MaskRcnn mask_rcnn{nullptr};
  model::Classifier classifier{nullptr};
  /** Where it is put once its weights are read. */
  torch::Device device = torch::kCPU;
  /** What a Mask R-CNN computes in. */
  torch::ScalarType compute_dtype = torch::kFloat32;

  torch::nn::Module& module() const;
  const model::Classifier& as_classifier() const;
  /** The Mask R-CNN compiled, the first time it is asked for: its weights change no more. */
  infer::MaskRcnnPlan& plan();

 private:
  std::unique_ptr<infer::MaskRcnnPlan> plan_;
};

template <>
struct TypeTag<LoadedModel> {
  static constexpr napi_type_tag value{0x7c1f0d6e55b34a0d, 0xb8a0e4d2c9173f65};
};

/** A network and how a file met it: what loading gives. */
struct Loaded {
  std::shared_ptr<LoadedModel> model;
  io::LoadReport report;
};

/** To a NativeLoaded, with a handle of its own. */
Napi::Value loaded_to_js(Napi::Env env, Loaded& loaded);

/** loadMaskRCNN, loadClassifier, releaseModel, listTensors, readTensor. */
void register_model(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
