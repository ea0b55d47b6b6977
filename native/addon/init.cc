#include <ATen/Version.h>
#include <napi.h>
#include <torch/version.h>

#include "addon/candidates.h"
#include "addon/classify.h"
#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/explain.h"
#include "addon/job.h"
#include "addon/mask.h"
#include "addon/metrics.h"
#include "addon/model.h"
#include "addon/sample.h"
#include "addon/segment.h"
#include "addon/stay_loaded.h"
#include "addon/train.h"
#include "infer/mask_rcnn_plan.h"

namespace cellroute::addon {
namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  const auto env = call.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto result = Napi::Object::New(env);
    result.Set("libtorch", Napi::String::New(env, TORCH_VERSION));
    result.Set("cpuCapability", Napi::String::New(env, at::get_cpu_capability()));
    result.Set("bfloat16", Napi::Boolean::New(env, infer::supports_bfloat16()));
    return result;
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  env.SetInstanceData<Environment>(new Environment(env));
  exports.Set("info", Napi::Function::New(env, info));
  register_jobs(env, exports);
  register_mask(env, exports);
  register_metrics(env, exports);
  register_model(env, exports);
  register_segment(env, exports);
  register_candidates(env, exports);
  register_classify(env, exports);
  register_explain(env, exports);
  register_train(env, exports);
  register_train_step(env, exports);
  register_sample(env, exports);
  return exports;
}

}  // namespace
}  // namespace cellroute::addon

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) {
  return cellroute::addon::guarded(
             env, [&]() -> Napi::Value { return cellroute::addon::init(env, exports); })
      .As<Napi::Object>();
}

NODE_API_MODULE(cellroute, init_addon)
