#include <string>
#include <utility>

#include "addon/arrays.h"
#include "addon/classify.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/model.h"
#include "addon/read.h"
#include "addon/register.h"
#include "infer/classify.h"
#include "infer/explain.h"

namespace cellroute::addon {

namespace {

infer::ExplainMethod read_method(const std::string& name) {
  if (name == "integrated-gradients") return infer::ExplainMethod::kIntegratedGradients;
  if (name == "occlusion") return infer::ExplainMethod::kOcclusion;
  if (name == "grad-cam") return infer::ExplainMethod::kGradCam;
  throw Error("INVALID_ARGUMENT", "Unknown method " + name);
}

infer::ExplainOptions read_explain_options(const Napi::Value& value) {
  const Fields options(value, "options");
  infer::ExplainOptions result;
  result.method = read_method(options.text("method"));
  if (options.has("target")) result.target = options.integer("target");
  result.baseline =
      options.text("baseline") == "black" ? infer::Baseline::kBlack : infer::Baseline::kMean;
  result.steps = options.integer("steps");
  result.patch = options.integer("patch");
  result.stride = options.integer("stride");
  return result;
}

Napi::Value explanation_to_js(Napi::Env env, infer::Explanation& explanation) {
  auto result = Napi::Object::New(env);
  result.Set("target", Napi::Number::New(env, static_cast<double>(explanation.target)));
  result.Set("height", Napi::Number::New(env, static_cast<double>(explanation.height)));
  result.Set("width", Napi::Number::New(env, static_cast<double>(explanation.width)));
  result.Set("values", to_typed_array(env, explanation.values));
  result.Set("logits", to_typed_array(env, explanation.logits));
  result.Set("baselineLogits", to_typed_array(env, explanation.baseline_logits));
  return result;
}

Napi::Value explain(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit<infer::Explanation>(
        env, CallOptions::read(env, info[4]),
        [model = Handle<LoadedModel>::get(env, info[0]), image = shared_image(info[1]),
         intensity = read_intensity(info[2]),
         options = read_explain_options(info[3])](const JobContext& poll) {
          const auto& network = model->as_classifier();
          // Not in inference mode, because its tensors do not support gradients.
          const auto input = infer::prepare(network->config(), *image, intensity);
          return infer::explain(network, input, options, poll);
        },
        explanation_to_js);
  });
}

Napi::Value explain_tensor(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit<infer::Explanation>(
        env, CallOptions::read(env, info[5]),
        [model = Handle<LoadedModel>::get(env, info[0]),
         input = read_input(info[1], info[2], info[3]),
         options = read_explain_options(info[4])](const JobContext& poll) {
          return infer::explain(model->as_classifier(), input, options, poll);
        },
        explanation_to_js);
  });
}

}  // namespace

void register_explain(Napi::Env env, Napi::Object exports) {
  exports.Set("explain", Napi::Function::New(env, explain));
  exports.Set("explainTensor", Napi::Function::New(env, explain_tensor));
}

}  // namespace cellroute::addon
