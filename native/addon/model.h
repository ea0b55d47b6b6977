#pragma once

#include <napi.h>

#include <memory>

#include "addon/handle.h"
#include "infer/mask_rcnn_plan.h"
#include "io/weights.h"
#include "model/classifier.h"
#include "model/mask_rcnn.h"

namespace cellroute::addon {

/** A loaded network: exactly one of the two. After loading, only the owner thread uses it. */
struct LoadedModel {
  model::MaskRcnn mask_rcnn{nullptr};
  model::Classifier classifier{nullptr};
  /** Device to which it is moved after its weights have been read. */
  torch::Device device = torch::kCPU;
  /** Type in which a Mask R-CNN computes. */
  torch::ScalarType compute_dtype = torch::kFloat32;

  torch::nn::Module& module() const;
  const model::Classifier& as_classifier() const;
  /** The compiled Mask R-CNN, created on first use: its weights do not change any more. */
  infer::MaskRcnnPlan& plan();

 private:
  std::unique_ptr<infer::MaskRcnnPlan> plan_;
};

template <>
struct TypeTag<LoadedModel> {
  static constexpr napi_type_tag value{0x7c1f0d6e55b34a0d, 0xb8a0e4d2c9173f65};
};

/** Result of loading: a network, and how the file's tensors matched. */
struct Loaded {
  std::shared_ptr<LoadedModel> model;
  io::LoadReport report;
};

/** Converts to a NativeLoaded with its own handle. */
Napi::Value loaded_to_js(Napi::Env env, Loaded& loaded);

}  // namespace cellroute::addon
