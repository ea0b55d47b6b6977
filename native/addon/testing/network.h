#pragma once

#include <napi.h>

#include <vector>

#include "addon/handle.h"
#include "addon/testing/tensor.h"
#include "error.h"
#include "model/classifier.h"
#include "model/mask_rcnn.h"
#include "nn.h"

namespace cellroute::testing {

/** Exactly one of the two. */
struct Network {
  model::MaskRcnn mask_rcnn{nullptr};
  model::Classifier classifier{nullptr};

  torch::nn::Module& module() {
    if (mask_rcnn) return *mask_rcnn;
    return *classifier;
  }
};

}  // namespace cellroute::testing

template <>
struct cellroute::addon::TypeTag<cellroute::testing::Network> {
  static constexpr napi_type_tag value{0x2f94a1c05d7e4b38, 0x91d6c3e87a0b5f42};
};

namespace cellroute::testing {

using NetworkHandle = addon::Handle<Network>;

/** The network in a function's first argument. */
inline Network& network_of(const Napi::CallbackInfo& info) {
  return *NetworkHandle::get(info.Env(), info[0]);
}

inline model::MaskRcnn mask_rcnn_of(const Napi::CallbackInfo& info) {
  auto network = network_of(info).mask_rcnn;
  if (!network) throw Error("INVALID_ARGUMENT", "The network is not a Mask R-CNN");
  return network;
}

inline std::vector<torch::Tensor> to_tensors(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<torch::Tensor> tensors;
  for (uint32_t i = 0; i < array.Length(); ++i) tensors.push_back(to_tensor(array.Get(i)));
  return tensors;
}

}  // namespace cellroute::testing
