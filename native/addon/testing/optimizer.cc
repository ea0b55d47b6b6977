// The optimizer, gradient clipping and the average of weights, without a network.
#include "train/optimizer.h"

#include <string>
#include <vector>

#include "addon/errors.h"
#include "addon/read.h"
#include "addon/testing/network.h"
#include "addon/train_config.h"
#include "train/average.h"
#include "train/gradients.h"

namespace cellroute::testing {
namespace {

using addon::Fields;

/** null is a parameter without a gradient. */
std::vector<torch::Tensor> to_gradients(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<torch::Tensor> gradients;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    gradients.push_back(item.IsNull() ? torch::Tensor() : to_tensor(item));
  }
  return gradients;
}

/** From a NativeOptimizer, parameters and steps ({lr, momentum, maxGradNorm, seed, gradients}, null
 *  for a missing gradient): {norm, parameters} after each step. */
Napi::Value optimize(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return addon::guarded(env, [&] {
    const auto parameters = to_tensors(info[1]);
    io::NamedTensors named;
    for (const auto& parameter : parameters) {
      named.emplace_back(std::to_string(named.size()), parameter.requires_grad_());
    }
    train::Optimizer optimizer(addon::read_optimizer(Fields(info[0], "optimizer")), named);
    auto results = Napi::Array::New(env);
    const auto steps = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < steps.Length(); ++i) {
      const Fields fields(steps.Get(i), "step");
      const auto step = addon::read_step(fields);
      const auto gradients = to_gradients(fields.value("gradients"));
      for (size_t p = 0; p < parameters.size(); ++p) parameters[p].mutable_grad() = gradients[p];
      const double norm = train::gradient_norm(parameters);
      if (step.max_grad_norm) train::clip_gradients(parameters, norm, *step.max_grad_norm);
      optimizer.step(step.lr, step.momentum);
      auto after = Napi::Array::New(env);
      for (const auto& parameter : parameters) {
        after.Set(after.Length(), from_tensor(env, parameter));
      }
      auto result = Napi::Object::New(env);
      result.Set("norm", Napi::Number::New(env, norm));
      result.Set("parameters", after);
      results.Set(i, result);
    }
    return Napi::Value(results);
  });
}

/** From a weight and a buffer, and the changes of each step: both averages after each step. */
Napi::Value average(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return addon::guarded(env, [&] {
    const torch::NoGradGuard no_grad;
    torch::nn::Module module("Values");
    auto weight = module.register_parameter("weight", to_tensor(info[1]));
    auto buffer = module.register_buffer("running_mean", to_tensor(info[2]));
    train::WeightAverage average(module, info[0].As<Napi::Number>().DoubleValue());
    const auto weight_steps = to_tensors(info[3]), buffer_steps = to_tensors(info[4]);
    auto results = Napi::Array::New(env);
    for (size_t i = 0; i < weight_steps.size(); ++i) {
      weight.add_(weight_steps[i]);
      buffer.add_(buffer_steps[i]);
      average.update(module);
      auto pair = Napi::Array::New(env);
      for (const auto& [name, tensor] : average.tensors()) {
        pair.Set(pair.Length(), from_tensor(env, tensor));
      }
      results.Set(static_cast<uint32_t>(i), pair);
    }
    return Napi::Value(results);
  });
}

}  // namespace

void register_optimizer(Napi::Env env, Napi::Object exports) {
  exports.Set("optimize", Napi::Function::New(env, optimize, "optimize"));
  exports.Set("average", Napi::Function::New(env, average, "average"));
}

}  // namespace cellroute::testing
