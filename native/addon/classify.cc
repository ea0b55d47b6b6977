#include "addon/classify.h"

#include <cstring>
#include <utility>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/model.h"
#include "addon/register.h"
#include "infer/classify.h"

namespace cellroute::addon {

namespace {

Napi::Value classification_to_js(Napi::Env env, infer::Classification& classification) {
  auto result = Napi::Object::New(env);
  result.Set("logits", to_typed_array(env, classification.logits));
  result.Set("probabilities", to_typed_array(env, classification.probabilities));
  return result;
}

Napi::Value classify(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit<infer::Classification>(
        env, CallOptions::read(env, info[3]),
        [model = Handle<LoadedModel>::get(env, info[0]), image = shared_image(info[1]),
         intensity = read_intensity(info[2])](const JobContext& poll) {
          return infer::classify(model->as_classifier(), *image, intensity, poll);
        },
        classification_to_js);
  });
}

Napi::Value classify_tensor(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit<infer::Classification>(
        env, CallOptions::read(env, info[4]),
        [model = Handle<LoadedModel>::get(env, info[0]),
         input = read_input(info[1], info[2], info[3])](const JobContext& poll) {
          return infer::classify_tensor(model->as_classifier(), input, poll);
        },
        classification_to_js);
  });
}

}  // namespace

torch::Tensor read_input(const Napi::Value& data, const Napi::Value& height,
                         const Napi::Value& width) {
  const auto values = data.As<Napi::Float32Array>();
  auto input = torch::empty(
      {1, 3, height.As<Napi::Number>().Int64Value(), width.As<Napi::Number>().Int64Value()});
  if (values.ByteLength() != input.nbytes()) {
    throw Error("INVALID_ARGUMENT", "The tensor's data does not fit its shape");
  }
  std::memcpy(input.data_ptr(), values.Data(), values.ByteLength());
  return input;
}

void register_classify(Napi::Env env, Napi::Object exports) {
  exports.Set("classify", Napi::Function::New(env, classify));
  exports.Set("classifyTensor", Napi::Function::New(env, classify_tensor));
}

}  // namespace cellroute::addon
